"""What no function can stand in for: the user's modules are compiled anew so that it passes through us.

- `table`: the taps of this wing, one row each
- `modules`: which modules are compiled anew, when they are imported
- `scripts`: the script that Python was started with, in a process that a launcher starts
- `recompiling`: the changed syntax tree
- `hooking`: the changed syntax tree by which calls are watched
- `orders`: the order of sets and the results of `hash()`, line by line
- `allocations`: memory that compiled types and ufuncs return unwritten
- `addresses`: the addresses of objects, the same in every process
"""

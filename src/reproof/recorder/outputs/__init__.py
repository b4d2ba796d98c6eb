"""What a run puts out, as it does so: lines printed, objects saved, files left.

- `capture`: the three together, from the start of a recording to its end
- `printing`: what is written to standard output and standard error
- `saving`: what is given to functions that save, and the values in it
- `changed_files`: the files that a run has created or changed
- `open_files`: what a script leaves open
"""

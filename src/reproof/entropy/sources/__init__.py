"""What a run reads from the outside world, one kind of source in each module.

- `table`: the taps of this wing, one row each
- `clocks`: `time`, `datetime` and what reads them
- `file_times`: times of files
- `surroundings`: process number, host, user, current folder, temporary names
- `machine`: how much of memory, disks and processors is free
- `listings`: the order in which folders are listed
- `files`, `outside`: files that an earlier run wrote, in the working folder and elsewhere
- `file_access`: who opens or looks for a file, for these two
- `programs`: what other programs print
- `randomness`: the operating system's random bytes, and generators that are made without a seed
- `seeds`: the seeds that generators are given, and other ones instead
- `generators`: the global generators of Python, NumPy and PyTorch, and the state in which they start
- `generator_memory`: where their states lie in memory
- `states`: states and seeds of global generators that are read before anybody has seeded them
- `draws`: the lines that draw from a global generator which nobody has seeded
- `loaders`: the number of workers of a DataLoader
"""

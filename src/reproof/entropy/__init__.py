"""What lets the outside world into a run: intercept it, write it to a ledger, replay it, pin it, vary it.

The core, from what a caller sees to what everything rests on:

- `process`: put the taps into this process, and into those that it starts
- `programs`, `startup`: have the Python programs tapped that it starts, and what these execute first
- `registry`: a row for each tap; the tables are `sources/table.py`, `races/table.py` and `rewriting/table.py`
- `interception`: a tap stands in the place of a function, notes what it returns, or returns what it did earlier
- `plan`: what a run does with its sources, as an experiment hands it to a fresh process
- `ledger`: the file of all reads, its writer and its reader
- `printed`: what programs have printed, as a ledger has it: its digest, unless it may have to be replayed
- `sites`: the user's line that a call comes from
- `written`: note which files outside of the working folder it writes
- `found`: note which files it looks for or reads
- `writers`: hear of those that compiled code writes for it
- `replacing`: put something in the place of a function, also of a compiled type
- `handled`: tell errors of the program's signal handlers from ours
- `untapped`: clocks and the like for our own use

The wings, each with a map in its `__init__` and a table of its taps:

- `sources`: what a run reads: clocks, folders, files, programs, random numbers
- `races`: which of several threads, processes or tasks comes first
- `rewriting`: what no function can stand in for: sets, hashes, addresses; the user's modules are compiled anew
- `calls`: what calls of the user's code are given and return, for sources that no tap sees; in experiments alone
"""

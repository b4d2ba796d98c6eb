"""What the calls of the user's code are given and return: noted in one run, compared and put in place in another.

The user's modules are compiled anew so that their calls pass through here (`rewriting.hooking`). In experiments alone:
it finds where a source comes in that no tap sees, as one inside compiled code or another process.

- `table`: the tap of this wing
- `watching`: what the modules call: note each event, or compare it with that of the earlier run
- `callables`: which calls are watched, and what they are called
- `contents`: digests of values of any kind
- `healing`: put an earlier result in the place of another
- `records`: the files: events and results of one run, findings of another
"""

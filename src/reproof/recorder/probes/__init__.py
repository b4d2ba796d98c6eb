"""What only experiments switch on: every operation, its repetition, and marks in uninitialised memory.

- `operations`: when operations are recorded, and which module is under way
- `op_mode`: every operation that PyTorch dispatches
- `op_effects`: what an operation does to memory
- `op_sites`: phase, module and user's line of an operation
- `repetition`: the same operation again, on the same inputs
- `poison`, `poison_hooks`: marks in memory that nobody has written, and the first event that shows one
"""

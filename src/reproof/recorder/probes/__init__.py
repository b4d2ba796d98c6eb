"""Look into single operations and uninitialised memory, which only level ``ops`` and experiments switch on.

- `operations`: the hook that records operations for a window of steps
- `op_mode`: record every operation that PyTorch dispatches
- `op_effects`: what an operation does to memory
- `op_sites`: phase, module and user's line of an operation
- `repetition`: execute an operation again on the same inputs
- `given_numbers`: the numbers that tensors give to Python
- `samples`: the samples of one batch as small pictures
- `poison_hooks`: the hook that looks for poison in what is recorded
- `poison`: fill uninitialised memory with poison, and find it again
- `copies`: tensors in arguments, and copies of them
- `conditions`: one thread, deterministic algorithms, without modes and autograd
- `modes`: dispatch modes that leave compiled regions compiled
"""

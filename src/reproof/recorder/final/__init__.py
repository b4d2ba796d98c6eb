"""Stage ``final``: the last state of every model, optimizer and tensor that was trained or held.

- `deaths`: be called when a module or an optimizer is destroyed, without keeping it alive
- `relay`: hand on what a signal handler raises meanwhile
- `holdings`: the tensors that a module or an optimizer holds itself
- `states`: from what was read when it died, and at the end, to events
"""

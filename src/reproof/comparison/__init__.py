"""Two runs → the first divergence, how much differs, and a verdict.

- `runs`: compare two runs, and judge
- `verification`: whether every byte of the traces is what was written
- `processes`: the same for each process that another has started; which of them parted first
- `agreement`: where processes of one run that train together do not agree
- `alignment`: the first frame that differs, by bisection; then event by event
- `calls`: calls of models without gradients, matched by what they are
- `tables`: frames of equal structure, compared as arrays
- `tally`: what is counted and kept of one process
- `steps`: what became of each step and stage, for whoever draws a map
- `structure`: events that only one of the runs has
- `details`: how one event differs
- `outputs`: what both have saved, printed and left as files
- `training`: whether all that differs belongs to models that are never trained
- `snapshots`: copies of states of the training, among what is left of it
- `growth`: how losses and random states part afterwards
- `operations`: the operation at which two runs part
- `op_alignment`: which operations of two runs belong together
- `elements`: two tensors, element by element

Needs neither numpy nor PyTorch. Left out: why they differ (a later room finds the cause) and how it is shown.
"""

from __future__ import annotations

from reproof.comparison.runs import compare, compare_traces, find_newest_runs

__all__ = ["compare", "compare_traces", "find_newest_runs"]

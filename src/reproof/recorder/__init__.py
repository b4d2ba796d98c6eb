"""Hooks on loaders, modules, autograd and optimizers that turn a training into a trace.

The recorder observes: it draws no random number, creates no iterator, keeps no reference to a tensor beyond the call
that shows it, and passes on every value and exception unchanged. An error of its own never reaches the training;
it is written down in the trace as a problem, and then no verdict of *identical* can come of it.

The recording as a whole:

- `session`: open a recording, close it
- `logged_values`: `reproof.log`
- `hooks`: make all hooks; to add one, begin here
- `context`: what hooks share
- `patches`: replace functions for the time of a recording
- `problems`: errors of the recorder itself
- `surroundings`: whether PyTorch is installed, which rank this process is
- `children`, `triggers`: processes that this one starts record themselves from their first training on
- `options`: how they do that

Hooks, each of which sees one thing that a training does:

- `loaders`: a loader delivers a batch
- `models`: a model is called
- `steps`: `backward()` is called, an optimizer steps
- `by_hand`: a training without an optimizer changes its parameters
- `parallel`: which processes train a model together
- `joins`: a thread, or a task of a pool, is waited for
- `restorations`: state is saved or loaded (for `reproof resume-check`)

What the hooks record with:

- `batches`: the batches of one loader
- `state`: initial state, gradients, and what an optimizer step changes
- `holdings`: buffers, and parameters that no optimizer steps
- `metrics`: values that a user chose to have compared
- `rng`: the states of the random number generators
- `evidence`: any value as events
- `frames`: events as frames, and the number of the step
- `background`: what threads beside the training record, until it has its place
- `trainings`: what several threads train at the same time, apart from each other
- `registry`: names of models, modules and parameters
- `tracing`: whether tensors have data
- `existing`: objects that were made before the recording

Folders within: `artifacts` (files that a training leaves), `probes` (what only experiments switch on).
"""

from __future__ import annotations

from reproof.recorder.logged_values import log
from reproof.recorder.session import Recording, record

__all__ = ["Recording", "log", "record"]

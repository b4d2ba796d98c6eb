"""Hooks on loaders, modules, autograd and optimizers that turn a training into a trace.

The recorder observes: it draws no random number, creates no iterator, keeps no reference to a tensor beyond the call
that shows it, and passes on every value and exception unchanged. An error of its own never reaches the training;
it is written down in the trace as a problem, and then no verdict of *identical* can come of it.
"""

from __future__ import annotations

from reproof.recorder.logged_values import log
from reproof.recorder.session import Recording, record

__all__ = ["Recording", "log", "record"]

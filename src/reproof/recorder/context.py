"""What the hooks of one recording share: where evidence goes, what things are called, and what is under way.

A hook is given this, and those of its siblings that it calls, but never the recording itself: it can neither open nor
close the trace. This file is free of PyTorch, and imports the parts of a context only for their types.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reproof.recorder.background import Background
    from reproof.recorder.evidence import EvidenceRecorder
    from reproof.recorder.frames import FrameBuilder
    from reproof.recorder.patches import Patches
    from reproof.recorder.problems import Problems
    from reproof.recorder.registry import Registry
    from reproof.recorder.rng import RngReader
    from reproof.schema import Level, Parallel

BESIDE: Final = "threads beside the training"
"""What a problem with such a thread is reported as."""


class ThreadState(threading.local):
    """What each thread of the training is in the middle of.

    Attributes:
        is_in_model: Whether the thread is in the call of a model.
        is_in_backward: Whether it is in `torch.autograd.backward` or `torch.autograd.grad`.
        is_beside: Whether it is not known to train: what it records is kept apart (`background`).
    """

    is_in_model = False
    is_in_backward = False

    def __init__(self, owner: int) -> None:
        """Set the state of a thread that is met for the first time.

        Args:
            owner: Identifier of the thread in which the recording began.
        """
        self.is_beside = threading.get_ident() not in {owner, threading.main_thread().ident}


@dataclass(slots=True, kw_only=True, eq=False)
class Context:
    """What a hook may use.

    Attributes:
        folder: Folder of the trace, as an absolute path.
        levels: The levels of evidence that are recorded.
        num_batches: Limit on the batches of each loader, or None.
        patches: Replaces functions, and undoes it when the recording ends.
        problems: Evidence that could not be taken.
        frames: The frame under way, and the number of the step.
        evidence: Turns values into events of that frame.
        background: What threads beside the training have recorded, until it has its place.
        registry: Names of models, modules and parameters.
        rng: States of the random number generators.
        thread: What the current thread is in the middle of.
        is_active: Whether hooks record; false while they are installed, after the end, and in forked children.
        has_loader: Whether a loader has delivered a batch: the inputs of models are then no batches of their own.
        parallel: Models that are trained together with other processes.
        remarks: What was done that hardly anybody means to do, one sentence each.
        on_step: Called after each step with the 0-based index of the next one.
        on_end: Called once when the recording ends, while the hooks are still in place and record.
        on_complete: Called once after that, unless the training was ended after a number of steps: what it has left.
        on_fork: Called in forked children, where nothing is recorded.
    """

    folder: Path
    levels: frozenset[Level]
    num_batches: int | None
    patches: Patches
    problems: Problems
    frames: FrameBuilder
    evidence: EvidenceRecorder
    background: Background
    registry: Registry
    rng: RngReader
    thread: ThreadState
    is_active: bool = False
    has_loader: bool = False
    parallel: list[Parallel] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    on_step: list[Callable[[int], None]] = field(default_factory=list)
    on_end: list[Callable[[], None]] = field(default_factory=list)
    on_complete: list[Callable[[], None]] = field(default_factory=list)
    on_fork: list[Callable[[], None]] = field(default_factory=list)

    def records(self, level: Level) -> bool:
        """Whether this level of evidence is recorded: each level includes all that come before it."""
        return level in self.levels

    def begin_to_train(self) -> None:
        """Note that the current thread, which was beside the training, trains from now on."""
        self.thread.is_beside = False
        if self.is_active:
            with self.problems.guard(BESIDE):
                self.background.place_own()

    def end_step(self) -> None:
        """End the step under way."""
        self.frames.end_step(self.rng.read() if self.records("steps") else b"")
        for follow in self.on_step:
            follow(self.frames.step)

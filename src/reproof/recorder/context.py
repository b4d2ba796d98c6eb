"""What the hooks of one recording share: where evidence goes, what things are called, and what is under way.

A hook is given this, and those of its siblings that it calls, but never the recording itself: it can neither open nor
close the trace. This file is free of PyTorch, and imports the parts of a context only for their types.
"""

from __future__ import annotations

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
    from reproof.recorder.trainings import ThreadState, Training, Trainings
    from reproof.schema import Level, Parallel

BESIDE: Final = "threads beside the training"
"""What a problem with such a thread is reported as."""


@dataclass(slots=True, kw_only=True, eq=False)
class Context:
    """What a hook may use.

    Attributes:
        folder: Folder of the trace, as an absolute path.
        levels: The levels of evidence that are recorded.
        patches: Replaces functions, and undoes it when the recording ends.
        problems: Evidence that could not be taken.
        frames: The frame under way, and the number of the step.
        evidence: Turns values into events of that frame.
        background: What threads beside the training have recorded, until it has its place.
        trainings: All that is trained in the process.
        rng: States of the random number generators.
        thread: What the current thread is in the middle of.
        is_active: Whether hooks record; false while they are installed, after the end, and in forked children.
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
    trainings: Trainings
    rng: RngReader
    thread: ThreadState
    is_active: bool = False
    parallel: list[Parallel] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    on_step: list[Callable[[int], None]] = field(default_factory=list)
    on_end: list[Callable[[], None]] = field(default_factory=list)
    on_complete: list[Callable[[], None]] = field(default_factory=list)
    on_fork: list[Callable[[], None]] = field(default_factory=list)

    def records(self, level: Level) -> bool:
        """Whether this level of evidence is recorded: each level includes all that come before it."""
        return level in self.levels

    @property
    def training(self) -> Training:
        """What the current thread trains."""
        return self.thread.training or self.trainings.main

    @property
    def registry(self) -> Registry:
        """Names of models, modules and parameters."""
        return self.training.registry

    def begin_to_train(self) -> None:
        """Note that the current thread, which was beside the training, trains from now on."""
        if not self.is_active:
            return
        self.thread.is_beside = False
        with self.problems.guard(BESIDE):
            self.trainings.begin()
            self.background.place_own()

    def end_step(self) -> None:
        """End the step under way."""
        if self.frames.is_apart:  # how far another training is meanwhile is chance
            self.frames.end_step()
            return
        self.frames.end_step(self.rng.read() if self.records("steps") else b"")
        for follow in self.on_step:
            follow(self.frames.step)

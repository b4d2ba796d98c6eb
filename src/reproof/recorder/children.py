"""Have the processes record themselves that a recorded one starts: by fork, spawn or a fork server.

Each has a trace of its own, in the folder of its label within that of the run (`docs/trace-format.md`), so that nobody
waits for anybody and the end of one leaves the others whole. It begins when the process first uses PyTorch to train or
evaluate: until then only `Triggers` are in place, which cost a forked process no look at what it shares with its
parent. Workers of a DataLoader record nothing: their parent sees what they deliver.
"""

from __future__ import annotations

import atexit
import contextlib
import multiprocessing.util
import os
import sys
import threading
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import wrapt

from reproof.entropy.handled import let_through
from reproof.entropy.ledger import POOL
from reproof.entropy.process import enter_spawned as tap_spawned
from reproof.recorder.options import RecordingOptions, options_from_plain
from reproof.recorder.outputs.printing import NotedText, PrintedLines, find_places
from reproof.recorder.outputs.saving import BUFFER, tap_savers
from reproof.recorder.problems import describe_error
from reproof.recorder.session import Recording, is_clean_exit
from reproof.recorder.surroundings import name_rank
from reproof.schema import PROCESSES, Origin

if TYPE_CHECKING:
    from reproof.entropy.process import Taps
    from reproof.recorder.triggers import Triggers

PRIORITY = -90
"""Of the finalizer that closes a recording: after those of the user's, before the ledger's."""


class Children:
    """Follows a recorded process into those that it starts; in one of these, holds its recording.

    Attributes:
        recording: The recording of this process, if another has started it and it has trained; else None.
    """

    def __init__(self, taps: Taps, options: RecordingOptions, printed: PrintedLines | None = None) -> None:
        """Follow this process.

        `printed` sees what this process and those that it forks print; None if nobody does. Effects: registers what
        closes the recording of a child, for the life of the process.
        """
        self.recording: Recording | None = None
        self._taps = taps
        self._options = options
        self._printed = printed
        self._noted: NotedText | None = None
        self._origin: Origin | None = None
        self._worker: Origin | None = None
        self._lock = threading.Lock()
        self._triggers: Triggers | None = None
        taps.follower = self
        taps.interceptor.on_task.append(self.enter_task)
        taps.interceptor.on_flush.append(self._finish_noted)
        # Children of `multiprocessing` end by `os._exit` after their finalizers, all others by their exit handlers.
        multiprocessing.util.register_after_fork(self, Children._close_at_exit)
        atexit.register(self.close)

    def enter(self, origin: Origin, *, is_worker: bool) -> None:
        """Wait for this process, which another has just started, to train; a worker is not waited for."""
        self._origin = origin
        self._worker = origin if name_pool(origin.label) is not None else None
        self._lock = threading.Lock()  # another thread of the parent may have held it
        self.recording = None
        self._taps.interceptor.count_events = self._count_events
        if self._triggers is not None:
            self._triggers.disarm()
            self._triggers = None
        if self._printed is not None and self._options.places is not None:
            self._noted = NotedText(self._options.places, self._taps.interceptor.ledger.note)
            self._printed.elsewhere = self._noted.write
        if not is_worker:
            wrapt.when_imported("torch")(lambda _module: self._arm())  # at once, if it is

    def _finish_noted(self) -> None:
        if self._noted is not None:
            self._noted.finish()

    def started(self, program: str) -> None:
        """Hear of a program that is about to be started, no Python of ours, and writes where this process does."""
        if self._options.places is not None and find_places()["stdout"] == self._options.places["stdout"]:
            self._taps.interceptor.ledger.note("program", name=program)

    def enter_task(self, name: str | None) -> None:
        """Begin a trace of its own for a task of a pool, of which this process is a worker; None after it.

        Which worker does which task is a race: they are told apart by name, whoever does them.
        """
        worker = self._worker
        if worker is None:
            return
        try:
            self.close("complete")
            pool = name_pool(worker.label)
            self._origin = worker if name is None else replace(worker, label=f"{pool}.{name}")
            if self._triggers is None and "torch" in sys.modules:
                self._arm()
        except Exception as error:  # noqa: BLE001  # nothing of ours may reach the program
            self._lose(error)
            let_through(error)

    def spawned(self, origin: Origin, *, is_worker: bool) -> tuple[str, dict[str, Any]]:
        """Return this module, and what `enter_spawned` is given besides."""
        return __name__, {"options": asdict(self._options), "origin": asdict(origin), "is_worker": is_worker}

    def leave(self, status: int) -> None:
        """Close the recording of this process, which ends by `os._exit`."""
        self.close() if status == 0 else self.close("failed", f"the process exited with {status}")

    def _count_events(self) -> int:
        return 0 if self.recording is None else self.recording.frames.num_events

    def _arm(self) -> None:
        if self._triggers is not None or self.recording is not None:  # told twice that PyTorch is imported
            return
        from reproof.recorder.triggers import Triggers  # it imports PyTorch

        try:
            self._triggers = Triggers(self._begin)
        except Exception as error:  # noqa: BLE001  # anything that an unknown version of PyTorch may cause
            self._lose(error)

    def _begin(self) -> None:
        """Open the recording of this process, once."""
        with self._lock:
            origin, triggers, self._triggers = self._origin, self._triggers, None
            if origin is None or triggers is None:
                return
            triggers.disarm()
            try:
                self._open(origin)
            except Exception as error:  # noqa: BLE001  # nothing of ours may reach the training
                self._lose(error)
                let_through(error)

    def _open(self, origin: Origin) -> None:
        options, origin = self._options, name_rank(origin)
        recording = Recording(
            Path(options.folder, PROCESSES, origin.label),
            options if origin.rank is not None else replace(options, num_steps=None),
            origin=origin,
        )
        recording.open()
        self.recording = recording
        try:
            recording.install()
        except Exception as error:  # noqa: BLE001  # as above
            recording.add_problem(f"PyTorch could not be hooked: {describe_error(error)}")
            let_through(error)
        if recording.context is not None:
            recording.context.on_step.append(self._taps.begin_step)

    def _lose(self, error: Exception) -> None:
        """Leave an empty folder, which tells that this process trained and is not recorded."""
        label = "?" if self._origin is None else self._origin.label
        print(f"reproof: process {label} is not recorded: {describe_error(error)}", file=sys.stderr)  # noqa: T201  # nobody else says it
        with contextlib.suppress(OSError):
            Path(self._options.folder, PROCESSES, f"{label}.lost{os.getpid()}").mkdir(parents=True)

    def close(self, status: str | None = None, ended: str | None = None, exit_code: int | None = None) -> None:
        """Close the recording of this process, if it has one; closing twice does nothing.

        The status is as for `Recording.close`, None if only the error that is being handled can tell; `ended` says in
        words how the process ended, if not by itself.
        """
        recording, self.recording = self.recording, None
        if recording is None or not recording.is_open:
            self._leave_claim()
            return
        if status is None:
            status, ended = tell_end()
        if self._taps.problem is not None:
            recording.add_problem(self._taps.problem)
        recording.close(status, ended, exit_code)

    def _leave_claim(self) -> None:
        """Remove the folder by which a program that a shell has started has claimed its label, if it is empty."""
        if self._origin is not None:
            with contextlib.suppress(OSError):
                Path(self._options.folder, PROCESSES, self._origin.label).rmdir()

    def _close_at_exit(self) -> None:
        multiprocessing.util.Finalize(None, self.close, exitpriority=PRIORITY)


def follow_children(recording: Recording) -> Children | None:
    """Have the processes record themselves that this one starts; None if nothing is known of them without taps."""
    return None if recording.taps is None else Children(recording.taps, recording.options, recording.printed)


def name_pool(label: str) -> str | None:
    """Return what the labels of the tasks of a worker's pool begin with, or None if it is no worker of a pool."""
    pool = label.rpartition(".")[0]
    return pool if pool.rpartition(".")[2].startswith(POOL) else None


def tell_end() -> tuple[str, str | None]:
    """Return status and words for a process that ends now, by the error that ends it or has ended its script."""
    error = sys.exc_info()[1] or getattr(sys, "last_value", None)
    if error is None or is_clean_exit(error):
        return "complete", None
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", "the process was interrupted"
    return "failed", f"the process raised {describe_error(error)}"


def enter_spawned(folder: str, process: str, base: str, plan: dict[str, Any], child: dict[str, Any]) -> None:
    """Tap a spawned child, and have it record itself.

    Args are those of `reproof.entropy.process.enter_spawned`, and what `Children.spawned` returned. Effects: as `Taps`
    and `Children`; imports nothing of PyTorch's that is not imported.
    """
    taps = tap_spawned(folder, process, base, plan)
    # Compiled code opens the files of `torch.save`: those outside of the working folder are known by its calls alone.
    tap_savers(lambda target, _value: None if target == BUFFER else taps.written.note(target))
    options = options_from_plain(child["options"])
    printed = None if options.places is None else PrintedLines(is_own=False)
    if printed is not None:
        printed.watch()
    Children(taps, options, printed).enter(Origin(**child["origin"]), is_worker=child["is_worker"])

"""Show how far the runs of a check are: step, rate, time left; and where one stood that was ended with it."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from reproof.schema.telling import plural, printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from reproof.launch.processes import RunProcess


FRAME: Final = re.compile(r'^  File "(.+)", line (\d+), in .*\n    (.+)', re.MULTILINE)
"""A frame of a traceback: file, line, text."""


class RunProgress:
    """A line per run on standard error, while it is a terminal; nothing otherwise."""

    def __init__(self, *, is_shown: bool) -> None:
        """Prepare the display, which stays empty unless standard error is a terminal."""
        self._tasks: dict[str, TaskID] = {}
        self._running: list[RunProcess] = []
        self._ended: list[Path] = []
        self._num_steps: int | None = None
        self._progress = Progress(
            TextColumn("{task.description:<12}"),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[state]}"),
            console=Console(stderr=True),
            transient=True,
            disable=not (is_shown and sys.stderr.isatty()),
        )

    def __enter__(self) -> RunProgress:  # noqa: PYI034  # not meant to be derived from
        """Start drawing."""
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the lines away again. If the check was interrupted, say where its runs stood and what is kept."""
        self._progress.stop()
        if isinstance(error, KeyboardInterrupt | SystemExit):
            ended = [tell_end(process) for process in self._running if process.is_interrupted]
            for line in (*ended, *self._tell_kept()):
                click.echo(printable(f"reproof: {line}"), err=True)

    def _tell_kept(self) -> Iterator[str]:
        """Yield what is left of the runs; the folders of experiments are gone by now."""
        kept = [str(trace) for trace in self._ended if trace.exists()]
        if kept:
            yield f"kept, as they came to their end: {' '.join(kept)}"
        elif self._running and self._running[0].request.trace.exists():
            yield f"no run came to its end; what was recorded is in {self._running[0].request.trace}"

    def watch(self, processes: list[RunProcess]) -> None:
        """Update the lines."""
        for process in [process for process in self._running if process not in processes]:
            self._running.remove(process)
            self._ended.append(process.request.trace)
            self._num_steps = max(process.num_steps, self._num_steps or 0)  # how many steps others will take
        for process in processes:
            name = process.request.trace.name
            if process not in self._running:
                self._running.append(process)
                self._tasks[name] = self._progress.add_task(name, total=None, state="starting")
            steps = process.num_steps
            total = process.request.num_steps or self._num_steps
            self._progress.update(
                self._tasks[name], completed=steps, total=total, state=describe(steps, total, process.seconds)
            )


def tell_end(process: RunProcess) -> str:
    """Return how far a run came that was interrupted, and at which line of the user's that was, if it has told."""
    request = process.request
    is_kept = request.errors.is_file() and not request.shows_output
    text = request.errors.read_text(encoding="utf-8", errors="replace") if is_kept else ""
    frames = [(Path(path), line, code) for path, line, code in FRAME.findall(text)]
    folder = request.folder
    own = [(path.relative_to(folder), line, code) for path, line, code in frames if path.is_relative_to(folder)]
    place = "".join(f", at {path}:{line}  {code}" for path, line, code in (own or frames)[-1:])
    return f"{request.trace.name} ended after {plural(process.num_steps, 'step')}{place}"


def describe(steps: int, total: int | None, seconds: float) -> str:
    """Return how far a run is, e.g. ``step 120 of 600, 35/s, 14 s left``."""
    if steps == 0:
        return f"starting, {seconds:.0f} s"
    rate = steps / seconds
    of = f" of {total}" if total else ""
    left = f", {max(0.0, (total - steps) / rate):.0f} s left" if total else ""
    return f"step {steps}{of}, {rate:.3g}/s{left}"

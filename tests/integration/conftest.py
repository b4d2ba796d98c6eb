"""What integration tests share: commands in fresh processes, and a plain view of what was recorded."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Protocol

import pytest

from reproof.trace import open_trace

if TYPE_CHECKING:
    from collections.abc import Callable

    from reproof.schema import Comparison

TIMEOUT_SECONDS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """How a process ended, and what it said.

    Attributes:
        code: Exit code; the negative number of the signal that ended it.
        out: Standard output, to the byte.
        err: Standard error.
    """

    code: int
    out: str
    err: str

    @property
    def own_lines(self) -> list[str]:
        """The lines that reproof itself added to standard error."""
        return [line for line in self.err.splitlines() if line.startswith("reproof: ")]

    @property
    def foreign_err(self) -> str:
        """Standard error without the lines of reproof."""
        return "".join(line for line in self.err.splitlines(keepends=True) if not line.startswith("reproof: "))


class Command(Protocol):
    """Runs a command in the test's folder and waits for it."""

    def __call__(self, *arguments: str | Path, stdin: str = "", **variables: str) -> Finished:
        """Run it with these arguments, standard input and environment variables."""


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """Return the environment variables of fresh processes, which start in other folders and compute in one thread."""
    paths = [str(Path(path).resolve()) for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    return {**os.environ, "OMP_NUM_THREADS": "1", **({"PYTHONPATH": os.pathsep.join(paths)} if paths else {})}


def run_process(start: list[str], folder: Path, environment: dict[str, str]) -> Command:
    """Return what runs commands that start with these words, in a folder."""

    def run(*arguments: str | Path, stdin: str = "", **variables: str) -> Finished:
        done = subprocess.run(
            [*start, *map(str, arguments)],
            input=stdin.encode(),
            capture_output=True,
            cwd=folder,
            env={**environment, **variables},
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        return Finished(code=done.returncode, out=decode(done.stdout), err=decode(done.stderr))

    return run


def decode(output: bytes) -> str:
    """Return output as text that can be compared to the byte, whatever its encoding."""
    return output.decode("utf-8", "surrogateescape")


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], None]:
    """Return what writes the script of a test."""

    def write_script(text: str) -> None:
        (tmp_path / "train.py").write_text(dedent(text), encoding="utf-8")

    return write_script


@pytest.fixture
def python(tmp_path: Path, environment: dict[str, str]) -> Command:
    """Return what runs Python in a fresh process, in the test's folder."""
    return run_process([sys.executable], tmp_path, environment)


@pytest.fixture
def reproof(tmp_path: Path, environment: dict[str, str]) -> Command:
    """Return what runs the command `reproof` in a fresh process, in the test's folder."""
    return run_process([sys.executable, "-m", "reproof"], tmp_path, environment)


@pytest.fixture(scope="session")
def reproof_in(environment: dict[str, str]) -> Callable[[Path], Command]:
    """Return what returns the command `reproof` in a folder that several tests share."""
    return lambda folder: run_process([sys.executable, "-m", "reproof"], folder, environment)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One event as a trace has it.

    Attributes:
        step: Step within which it happened.
        name: Name of the event.
        detail: *order*, *content* or None.
        digest: Its digest.
        exact: The numbers kept exactly, or None.
        kinds: Which kinds of numbers are kept with it.
        skipped: Why it has no digest, or None.
        num_tensors: Tensors and arrays that it covers.
    """

    step: int
    name: str
    detail: str | None
    digest: bytes
    exact: tuple[int | float | str, ...] | None
    kinds: frozenset[str]
    skipped: str | None
    num_tensors: int


class Events(list[Recorded]):
    """The events of a trace, in execution order."""

    @property
    def names(self) -> list[str]:
        """Their names."""
        return [event.name for event in self]

    @property
    def steps(self) -> list[int]:
        """Their steps."""
        return [event.step for event in self]

    def orders(self) -> list[tuple[int | float | str, ...] | None]:
        """Return the indices drawn, batch after batch."""
        return [event.exact for event in self if event.detail == "order"]

    def contents(self) -> Events:
        """Return the events of content."""
        return Events(event for event in self if event.detail == "content")

    def named(self, name: str) -> Events:
        """Return the events of one name."""
        return Events(event for event in self if event.name == name)


@pytest.fixture(scope="session")
def read_events() -> Callable[[Path], Events]:
    """Return what reads the events of a trace."""
    return _read_events


def _read_events(folder: Path) -> Events:
    trace = open_trace(folder).ranks[0]
    found = Events()
    for index in range(len(trace)):
        frame, numbers = trace.frame(index), trace.numbers(index)
        for position, event in enumerate(frame.layout.events):
            kept = {kind: value.values for (place, kind), value in numbers.items() if place == position}
            found.append(
                Recorded(
                    step=frame.step,
                    name=event.name,
                    detail=event.detail,
                    digest=frame.digest(position),
                    exact=kept.get("exact"),
                    kinds=frozenset(kept),
                    skipped=event.skipped,
                    num_tensors=event.num_tensors,
                )
            )
    return found


@pytest.fixture(scope="session")
def reasons() -> Callable[[Comparison], str]:
    """Return what tells in one string why a comparison could not say *identical*."""
    return lambda comparison: "\n".join([f"{s.what}: {s.why}" for s in comparison.skipped] + list(comparison.structure))

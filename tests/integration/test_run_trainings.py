"""`reproof run` on real trainings in fresh processes, and whatever may cut them short."""

from __future__ import annotations

import signal
from textwrap import dedent
from typing import TYPE_CHECKING, NamedTuple, Protocol

import pytest

from reproof import compare
from reproof.trace import open_trace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.conftest import Command, Events, Finished

# Six steps, and something that happens after step 3.
TRAINING = """
import os, resource, signal, sys, threading
import torch
from torch.utils.data import DataLoader, Dataset

class Samples(Dataset):
    broken = None
    def __len__(self):
        return 12
    def __getitem__(self, index):
        if index == self.broken:
            raise LookupError(f"sample {{index}}")
        return torch.full((2,), float(index))

samples = Samples()
loader = DataLoader(samples, batch_size=2)
model = torch.nn.Linear(2, 1)
torch.nn.init.ones_(model.weight)

def happen():
    {here}

def train():
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001)
    for step, batch in enumerate(loader):
        optimizer.zero_grad()
        model(batch).sum().backward()
        optimizer.step()
        if step == 3:
            happen()
    print("trained", flush=True)

{start}
"""


class Train(Protocol):
    """Runs a training in a fresh process."""

    def __call__(self, *, here: str = "pass", start: str = "train()", run: Command | None = None) -> Finished:
        """Train with something that happens after step 3; recorded, unless by another command."""


@pytest.fixture
def train(reproof: Command, tmp_path: Path) -> Train:
    """Return what writes a training, records it into the folder `trace`, and returns how it ended."""

    def run_training(*, here: str = "pass", start: str = "train()", run: Command | None = None) -> Finished:
        (tmp_path / "train.py").write_text(TRAINING.format(here=here, start=dedent(start)), encoding="utf-8")
        return reproof("run", "-o", "trace", "--level", "batches", "train.py") if run is None else run("train.py")

    return run_training


@pytest.fixture
def events(tmp_path: Path, read_events: Callable[[Path], Events]) -> Callable[[], Events]:
    """Return what reads the batches that were recorded."""
    return lambda: read_events(tmp_path / "trace").contents()


def find_reasons(folder: Path) -> str:
    """Return why a trace cannot be called identical to itself."""
    comparison = compare(folder, folder)
    assert comparison.verdict == "inconclusive"
    return "\n".join(f"{skipped.what}: {skipped.why}" for skipped in comparison.skipped)


def test_an_exception_within_a_hook_is_shown_without_our_frames(
    train: Train, python: Command, events: Callable[[], Events], tmp_path: Path
) -> None:
    """A data set that raises: the traceback is that of plain Python, and the trace has all up to it and says why."""
    here = "samples.broken = 9"
    recorded = train(here=here)
    plain = train(here=here, run=python)
    assert (recorded.code, recorded.out, recorded.foreign_err) == (plain.code, plain.out, plain.err)
    assert "LookupError" in plain.err
    assert recorded.own_lines == ["reproof: the trace trace is incomplete: train.py raised LookupError: sample 9"]
    assert events().steps == [0, 1, 2, 3]
    assert "LookupError: sample 9" in find_reasons(tmp_path / "trace")


class Ending(NamedTuple):
    """What ends a training, and what is known of it afterwards."""

    here: str
    code: int
    status: str
    reason: str


ENDINGS = {
    "killed": Ending("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL, "running", "killed"),
    "interrupted": Ending("os.kill(os.getpid(), signal.SIGINT)", -signal.SIGINT, "interrupted", "interrupted"),
}


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS.keys())
def test_a_training_cut_short_leaves_its_steps(
    ending: Ending, train: Train, events: Callable[[], Events], tmp_path: Path
) -> None:
    """Whatever ends it, each complete step can be read, and the trace is never taken for a whole run."""
    assert train(here=ending.here).code == ending.code
    trace = open_trace(tmp_path / "trace")
    assert (trace.header.status, trace.ranks[0].num_steps) == (ending.status, 4)
    assert events().steps == [0, 1, 2, 3]
    assert ending.reason in find_reasons(tmp_path / "trace")


def test_a_full_disk_does_not_stop_the_training(train: Train, events: Callable[[], Events], tmp_path: Path) -> None:
    """The training comes to its end; one line says that the trace does not, exit code 2; what is there is readable."""
    size = "os.path.getsize('trace/rank0.digests')"
    done = train(here=f"resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, resource.RLIM_INFINITY))")
    assert (done.code, done.out) == (2, "trained\n")
    (line,) = done.err.splitlines()
    assert line.startswith("reproof: error: cannot write trace: File too large: free some space")
    assert events().steps == [0, 1, 2, 3]
    find_reasons(tmp_path / "trace")


def test_what_trains_after_the_script_is_recorded(train: Train, events: Callable[[], Events], tmp_path: Path) -> None:
    """A thread that goes on training, and an exit handler that evaluates, belong to the run."""
    start = """
        import atexit
        atexit.register(lambda: print(len(list(loader))))
        threading.Thread(target=train).start()
    """
    done = train(start=start)
    assert (done.code, done.out) == (0, "trained\n6\n")
    assert events().steps == [0, 1, 2, 3, 4, 5] + [6] * 6
    assert compare(tmp_path / "trace", tmp_path / "trace").verdict == "identical"


def test_a_script_may_record_itself(train: Train, tmp_path: Path) -> None:
    """A recording within a recorded run has the same evidence, and neither spoils the other."""
    start = """
        import reproof
        with reproof.record("inner", level="batches"):
            train()
    """
    done = train(start=start)
    assert (done.code, done.out) == (0, "trained\n")
    assert done.own_lines == ["reproof: recorded 12 events of 6 steps in trace"]
    comparison = compare(tmp_path / "trace", tmp_path / "inner")
    assert (comparison.verdict, comparison.num_events, comparison.num_steps) == ("identical", 12, 6)


def test_forked_children_are_not_recorded(
    reproof: Command, tmp_path: Path, read_events: Callable[[Path], Events]
) -> None:
    """A child that is forked, even before PyTorch is imported, trains on its own and leaves the trace alone."""
    text = """
        import os
        pid = os.fork()
        import torch
        from torch.utils.data import DataLoader
        second = os.fork() if pid else None
        batches = list(DataLoader(torch.arange(8 if pid and second else 100), batch_size=2))
        if pid and second:
            print(*(os.waitpid(child, 0)[1] for child in (pid, second)))
    """
    (tmp_path / "train.py").write_text(dedent(text), encoding="utf-8")
    done = reproof("run", "-o", "trace", "train.py")
    assert (done.code, done.out, len(done.own_lines)) == (0, "0 0\n", 1)
    assert read_events(tmp_path / "trace").contents().names == ["loader0(8)"] * 4
    assert compare(tmp_path / "trace", tmp_path / "trace").verdict == "identical"

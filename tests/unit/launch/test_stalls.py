"""A run that waits for a process that has died is noticed, an experiment that only waits as well, and no other."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from reproof.launch.stalls import PATIENCE_SECONDS, StallWatch, find_dead, find_patience, is_alive
from reproof.schema import Origin, RunHeader
from reproof.trace.writer import TraceWriter

if TYPE_CHECKING:
    from pathlib import Path

HEADER = RunHeader(
    run_id="0" * 32,
    status="running",
    level="steps",
    command=("train.py",),
    num_batches=None,
    statistics=False,
    created="2026-01-01T00:00:00+00:00",
)


def dead_process() -> int:
    """Return the number of a process that has ended."""
    process = subprocess.Popen(["/bin/true"])
    process.wait()
    return process.pid


@pytest.mark.parametrize(("status", "has_died"), [("running", True), ("running", False), ("complete", True)])
def test_it_is_a_stall_if_a_process_has_died(tmp_path: Path, status: str, *, has_died: bool) -> None:
    """One that closed its trace has done its work, and one that lives may go on."""
    number = dead_process() if has_died else os.getpid()
    header = replace(
        HEADER,
        status=status,
        origin=Origin(label="0.2", rank=1),
        environment={"process": {"pid": number}},
    )
    TraceWriter(tmp_path / "a" / "processes" / "0.2", header, rank=0).close()
    watch = StallWatch(tmp_path / "a", limit_seconds=0.01)
    told = [None]
    until = time.monotonic() + 1
    while told[-1] is None and time.monotonic() < until:
        time.sleep(0.02)
        told.append(watch.find_stall())
    is_stalled = status == "running" and has_died
    assert list(find_dead(tmp_path / "a")) == (["process 0.2 (rank 1)"] if is_stalled else [])
    assert (told[-1] or "").startswith("process 0.2 (rank 1) had died, and" if is_stalled else "")
    assert (told[-1] is not None) == is_stalled


def test_an_experiment_that_records_nothing_for_long_is_stalled(tmp_path: Path) -> None:
    """Whoever has no patience is waited for, for ever."""
    TraceWriter(tmp_path, HEADER, rank=0).close()
    patient, impatient = (StallWatch(tmp_path, 0.01, patience_seconds=limit) for limit in (None, 0.02))
    until = time.monotonic() + 20
    while (told := impatient.find_stall()) is None and time.monotonic() < until:
        time.sleep(0.02)
    assert (told or "").startswith("nothing was recorded for ")
    assert patient.find_stall() is None


def test_the_patience_follows_from_how_long_a_run_took(tmp_path: Path) -> None:
    """The longer it took, the longer an experiment may be silent; where that is not known, for minutes."""
    TraceWriter(tmp_path / "a", HEADER, rank=0).close()
    assert find_patience(tmp_path / "a") > find_patience(tmp_path / "b") == PATIENCE_SECONDS


def test_a_process_that_waits_to_be_asked_for_has_ended() -> None:
    """A zombie has a number."""
    process = subprocess.Popen(["/bin/true"])
    until = time.monotonic() + 20
    while is_alive(process.pid) and time.monotonic() < until:
        time.sleep(0.01)
    assert not is_alive(process.pid)
    process.wait()
    assert is_alive(os.getpid())

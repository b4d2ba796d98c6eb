"""Traces of the processes that a recorded one has started, within the trace of the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reproof.errors import RecordingError
from reproof.schema import Origin
from reproof.trace import TraceWriter, open_trace
from reproof.trace import format as fmt
from reproof.trace.reader import name_calls

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def child(run: Any, say: Any) -> Callable[..., Path]:
    """Return what writes the trace of a process of the run `a`."""

    def write(label: str, **header: Any) -> Path:
        origin = Origin(label=label, file="train.py", line=3, num_events=2)
        return run(f"a/processes/{label}", [say.order("", 1)], origin=origin, **header)  # type: ignore[no-any-return]

    return write


def test_the_processes_of_a_run_are_opened_with_it(run: Any, say: Any, child: Callable[..., Path]) -> None:
    """Each has its events and where it comes from, in the order of the start."""
    folder = run("a", [say.order("", 0)])
    for label in ("0.10", "0.2", "0.2.1"):
        child(label)
    trace = open_trace(folder)
    assert list(trace.children) == ["0.2", "0.2.1", "0.10"]
    assert trace.children["0.2"].header.origin == Origin(label="0.2", file="train.py", line=3, num_events=2)
    assert [len(one.ranks[0]) for one in trace.children.values()] == [1, 1, 1]
    assert trace.header.origin is None
    assert trace.lost == {}


def test_a_process_that_left_nothing_is_lost_and_the_others_are_whole(
    run: Any, say: Any, child: Callable[..., Path]
) -> None:
    """One that was killed between two files of its own takes no other with it."""
    folder = run("a", [say.order("", 0)])
    child("0.1")
    (folder / "processes" / "0.2").mkdir()
    (child("0.3") / "rank0.frames").unlink()
    trace = open_trace(folder)
    assert list(trace.children) == ["0.1"]
    assert sorted(trace.lost) == ["0.2", "0.3"]


def test_one_process_is_had_without_its_children(run: Any, say: Any, child: Callable[..., Path]) -> None:
    """The trace of the first process, or of one that another has started; None for one that is not there."""
    folder = run("a", [say.order("", 0)])
    child("0.1")
    trace = open_trace(folder)
    alone, other = trace.of_process(None), trace.of_process("0.1")
    assert alone is not None
    assert (alone.folder, alone.children) == (folder, {})
    assert other is not None
    assert other.folder == folder / "processes" / "0.1"
    assert trace.of_process("0.2") is None


def test_other_names_are_passed_over(run: Any, say: Any) -> None:
    """A folder whose name is no label is no process."""
    folder = run("a", [say.order("", 0)])
    for name in ("notes", "1", "0.", "0..1", "0.1 ", "x.1"):
        (folder / "processes" / name).mkdir(parents=True)
    trace = open_trace(folder)
    assert (trace.children, trace.lost) == ({}, {})


def test_calls_are_numbered_through_however_they_were_put_into_tasks() -> None:
    """The first call of a task is the one after the last of the task before; other labels stay."""
    one = ["0.1", *(f"0.pool1.job{n}.task0.call0" for n in range(2, 5))]
    two = ["0.1", "0.pool1.job2.task0.call0", "0.pool1.job2.task0.call1", "0.pool1.job3.task0.call0"]
    assert name_calls(one) == name_calls(two) == ["0.1", "0.pool1.call0", "0.pool1.call1", "0.pool1.call2"]


def test_another_run_takes_away_the_processes_of_an_older_one(run: Any, say: Any, child: Callable[..., Path]) -> None:
    """Only if it may replace the older trace at all."""
    folder = run("a", [say.order("", 0)])
    child("0.1")
    header = open_trace(folder).header
    with pytest.raises(RecordingError, match="already holds a trace"):
        TraceWriter(folder, header)
    assert (folder / "processes" / "0.1" / "run.json").exists()
    TraceWriter(folder, header, force=True).close()
    assert list(open_trace(folder).children) == []


def test_a_folder_of_that_name_with_something_else_is_not_touched(run: Any, say: Any, tmp_path: Path) -> None:
    """It is not part of a trace, whatever is asked for."""
    header = open_trace(run("a", [say.order("", 0)])).header
    (tmp_path / "b" / "processes" / "results").mkdir(parents=True)
    with pytest.raises(RecordingError, match="'processes', which is not part of a trace"):
        TraceWriter(tmp_path / "b", header, force=True)


@pytest.mark.parametrize(("label", "rank"), [("0.1", 0), ("12.3.4", 12), ("0.pool1.job3.task0", 0), ("0.2.run1", 0)])
def test_a_label_tells_the_rank_from_which_a_process_descends(label: str, rank: int) -> None:
    """Its first part; a name that is no label tells none."""
    assert fmt.rank_of_label(label) == rank
    assert fmt.rank_of_label(f"{label}.") is None

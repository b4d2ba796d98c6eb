"""Runs of several processes: what is added up, what is told first, what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reproof.comparison import compare
from reproof.comparison.processes import find_parent
from reproof.schema import Origin

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Steps = list[list[Any]]


@pytest.fixture
def tree(run: Any) -> Callable[..., Path]:
    """Return what writes a run: the steps of its first process, and those of each child by label."""

    def write(name: str, own: Steps, children: dict[str, tuple[int, Steps]], **header: Any) -> Path:
        folder: Path = run(name, *own)
        for label, (num_events, steps) in children.items():
            origin = Origin(label=label, file="train.py", line=34, num_events=num_events)
            run(f"{name}/processes/{label}", *steps, origin=origin, **header)
        return folder

    return write


def steps(say: Any, *contents: str) -> Steps:
    """Return steps of one event each."""
    return [[say.named("loss", content, "loss")] for content in contents]


def test_equal_processes_are_identical_and_counted(tree: Any, say: Any) -> None:
    """Events of all are added up, and the processes are told."""
    runs = [tree(name, steps(say, "x"), {"0.1": (0, steps(say, "y", "z"))}) for name in "ab"]
    found = compare(*runs)
    assert (found.verdict, found.num_events, found.num_steps) == ("identical", 3, 2)
    assert found.processes == ("process 0.1 (train.py:34)",)
    assert (found.is_verified, compare(*runs, verify=False).is_verified) == (True, False)


def test_a_difference_in_a_child_is_a_divergence(tree: Any, say: Any) -> None:
    """It is told with its process, in JSON too; one of the first process has none."""
    a = tree("a", steps(say, "x"), {"0.1": (0, steps(say, "y", "z"))})
    b = tree("b", steps(say, "x"), {"0.1": (0, steps(say, "y", "w"))})
    found = compare(a, b)
    assert found.verdict == "diverged"
    assert found.first is not None
    assert (found.first.process, found.first.step) == ("0.1", 1)
    assert found.to_json()["first_divergence"]["process"] == "0.1"
    assert [c.differing for c in found.counts] == [1]
    own = compare(a, tree("c", steps(say, "v"), {"0.1": (0, steps(say, "y", "z"))}))
    assert "process" not in own.to_json()["first_divergence"]


@pytest.mark.parametrize(("num_events", "process"), [(0, "0.1"), (1, "0.1"), (2, None)])
def test_the_earliest_by_cause_is_told(tree: Any, say: Any, num_events: int, process: str | None) -> None:
    """The child's, unless its parent had diverged when it started it, after so many events."""
    a = tree("a", steps(say, "x", "p"), {"0.1": (num_events, steps(say, "0", "0", "y"))})
    b = tree("b", steps(say, "x", "q"), {"0.1": (num_events, steps(say, "0", "0", "z"))})
    found = compare(a, b)
    assert found.first is not None
    assert found.first.process == process
    assert {d.process for d in found.differences} == {None, "0.1"}


def test_of_siblings_the_earlier_step_is_told(tree: Any, say: Any) -> None:
    """Whatever the order of their labels."""
    a = tree("a", steps(say, "x"), {"0.1": (0, steps(say, "0", "y")), "0.2": (0, steps(say, "y"))})
    b = tree("b", steps(say, "x"), {"0.1": (0, steps(say, "0", "z")), "0.2": (0, steps(say, "z"))})
    first = compare(a, b).first
    assert first is not None
    assert first.process == "0.2"


def test_rather_its_own_than_what_another_made_of_it(tree: Any, say: Any) -> None:
    """A process has parted in a later step than the one that started it, and than a sibling of both."""
    a, b = (
        tree(name, steps(say, "x"), {"0.1": (0, steps(say, "0", name)), "0.1.1": (0, steps(say, "0", "0", name))})
        for name in "ab"
    )
    first = compare(a, b).first
    assert first is not None
    assert first.process == "0.1.1"


def test_a_process_of_one_run_alone_is_told(tree: Any, say: Any) -> None:
    """Nothing identical can be said, and the line that started it is named."""
    a, b = tree("a", steps(say, "x"), {"0.1": (0, steps(say, "y"))}), tree("b", steps(say, "x"), {})
    found = compare(a, b)
    assert found.verdict == "inconclusive"
    assert found.structure == ("only the baseline has process 0.1 (train.py:34)",)


def test_a_process_that_was_killed_is_told(tree: Any, say: Any) -> None:
    """Its end was not compared."""
    runs = [tree(name, steps(say, "x"), {"0.1": (0, steps(say, "y"))}, status="running") for name in "ab"]
    found = compare(*runs)
    assert found.verdict == "inconclusive"
    assert [s.what.startswith("process 0.1 (train.py:34): the end of the ") for s in found.skipped] == [True, True]


def test_a_process_that_left_no_trace_is_told(tree: Any, say: Any) -> None:
    """In both runs: that it is missing in both does not make them equal."""
    runs = [tree(name, steps(say, "x"), {}) for name in "ab"]
    for folder in runs:
        (folder / "processes" / "0.1").mkdir(parents=True)
    found = compare(*runs)
    assert found.verdict == "inconclusive"
    assert [s.what for s in found.skipped] == ["process 0.1 of the baseline", "process 0.1 of the candidate"]


def test_only_the_children_have_events(tree: Any, say: Any) -> None:
    """A first process that only starts others is no reason to say that nothing is in common."""
    runs = [tree(name, [], {"0.1": (0, steps(say, "y"))}) for name in "ab"]
    found = compare(*runs)
    assert (found.verdict, found.structure, found.num_steps) == ("identical", (), 1)


@pytest.mark.parametrize(
    ("label", "parent"), [("0.1", "0"), ("0.1.2", "0.1"), ("0.pool1.job0.task2", "0"), ("3.2.run1", "3.2")]
)
def test_the_parent_of_a_label(label: str, parent: str) -> None:
    """What is left without the last number; pools and their tasks are no processes."""
    assert find_parent(label) == parent

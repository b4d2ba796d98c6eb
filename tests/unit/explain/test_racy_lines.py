"""What threads print by chance is told from results."""

from __future__ import annotations

import pytest

from reproof.explain.racy_lines import Given, Roles, are_explained
from reproof.outputs.records import Line
from reproof.schema import OutputDifference

GIVEN = Given(frozenset({0.6000000238418579, 0.625, 0.875, 12.25, 142}))
NOTED = [
    "[eval] step 15 accuracy 0.6000 (lag 24 ms)",
    "[eval] step 18 accuracy 0.6250 (lag 4.5 ms)",
    "worker has 142 of 150 right",
    "running mean 0.7314 after 3 jobs",
]
OWN = ["12 snapshots evaluated", "best accuracy 0.8750", "sum of losses 33.125", "total 12.2500 in 1.5 s", "busy at 9"]
ROLES = Roles(
    [*(Line(stream="stdout", text=text, worker="T") for text in NOTED), *(Line(stream="stdout", text=t) for t in OWN)],
    GIVEN,
)


def threads(*texts: str) -> list[Line]:
    """Return lines that a thread has printed."""
    return [Line(stream="stdout", text=text, worker="T") for text in texts]


def differ(baseline: str | None, candidate: str | None, name: str = "stdout line 3") -> OutputDifference:
    """Return a difference in a line of the main thread."""
    return OutputDifference(kind="line", name=name, baseline=baseline, candidate=candidate)


@pytest.mark.parametrize(
    ("baseline", "candidate"),
    [
        ("12 snapshots evaluated", "13 snapshots evaluated"),
        ("total 12.2500 in 1.5 s", "total 12.2500 in 2.5 s"),
        ("busy at 9", None),
        (None, "busy at 12"),
    ],
)
def test_counts_and_times_are_explained(baseline: str | None, candidate: str | None) -> None:
    """They tell what a thread had time for."""
    assert are_explained([differ(baseline, candidate)], [], [], ROLES)


@pytest.mark.parametrize(
    ("baseline", "candidate"),
    [
        ("best accuracy 0.8750", "best accuracy 0.6250"),  # chosen by a race
        ("best accuracy 0.8750", None),
        ("sum of losses 33.125", "sum of losses 33.126"),  # added up in Python
        ("total 12.2500 in 1.5 s", "total 12.2501 in 1.5 s"),  # added up in a tensor
        ("12 snapshots evaluated", "12 snapshots skipped"),
        ("never seen 1", "never seen 2"),
    ],
)
def test_results_are_not(baseline: str | None, candidate: str | None) -> None:
    """A number that a tensor gave, or that may be computed from such, and other words."""
    assert not are_explained([differ(baseline, candidate)], [], [], ROLES)


@pytest.mark.parametrize("kind", ["saved", "file"])
def test_what_is_saved_is_never_explained(kind: str) -> None:
    """Chance in a file is a divergence."""
    one = OutputDifference(kind=kind, name="x", baseline="12 snapshots evaluated", candidate="13 snapshots evaluated")  # type: ignore[arg-type]
    assert not are_explained([one], [], [], ROLES)


def test_lines_of_another_process_are_never_explained() -> None:
    """Which numbers of it are results cannot be known."""
    name = "stdout line 3 (another process, or compiled code)"
    texts = "[eval] step 15 accuracy 0.6000 (lag 24 ms)", "[eval] step 15 accuracy 0.6250 (lag 24 ms)"
    assert not are_explained([differ(*texts, name=name)], [], [], ROLES)


@pytest.mark.parametrize(
    ("baseline", "candidate", "expected"),
    [
        (["[eval] step 15 accuracy 0.6000 (lag 9 ms)"], ["[eval] step 18 accuracy 0.6250 (lag 8 ms)"], True),
        (["[eval] step 15 accuracy 0.6000 (lag 9 ms)"], [], True),
        (["[eval] step 15 accuracy 0.6000 (lag 9 ms)"], ["[eval] step 15 accuracy 0.6250 (lag 8 ms)"], False),
        (["[eval] step 15 accuracy 0.6000 (lag 9 ms)"], ["[eval] step 15 accuracy 0.6000 (lag 8 ms)"], True),
        (["worker has 142 of 150 right"], ["worker has 141 of 150 right"], False),
        (["running mean 0.7314 after 3 jobs"], ["running mean 0.7315 after 4 jobs"], False),
        (["never seen 1"], [], False),
    ],
)
def test_threads_print_equal_results(baseline: list[str], candidate: list[str], *, expected: bool) -> None:
    """A step that one run alone evaluated is no difference; another accuracy of one step is."""
    assert are_explained([], threads(*baseline), threads(*candidate), ROLES) is expected


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("0.6", True),
        ("0.60000002", True),
        ("60.0", True),
        ("6.0e-01", True),
        ("0.61", False),
        ("142", True),
        ("1", False),
    ],
)
def test_numbers_of_tensors_are_known_rounded_and_in_per_cent(printed: str, *, expected: bool) -> None:
    """As they are usually printed."""
    assert GIVEN.holds(printed) is expected

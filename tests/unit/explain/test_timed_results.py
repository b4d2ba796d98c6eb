"""What the clock has decided is told from times."""

from __future__ import annotations

from typing import Final

import pytest

from reproof.explain.racy_lines import Given, Roles
from reproof.explain.timed_results import find_results
from reproof.outputs.records import Line
from reproof.schema import OutputDifference

GIVEN: Final = Given(frozenset({0.8123, 0.03713245, 0.25, 57}))
BASELINE: Final = (
    "accuracy so far 0.8123",
    "mean of the last calls 0.03713245",
    "2 | 0.2500 | 1.2511",
    "preview at step 17: loss 0.8123",
    "57 right",
    "score per second 0.9411",
)
ROLES: Final = Roles([Line(stream="stdout", text=text) for text in BASELINE], GIVEN)


@pytest.mark.parametrize(
    ("number", "other", "is_one"),
    [
        (0, "accuracy so far 0.8001", True),
        (1, "mean of the last calls 0.03713999", True),
        (2, "2 | 0.2600 | 1.3100", False),  # four digits, which no word labels
        (3, "preview at step 19: loss 0.7711", False),  # of another moment
        (3, "preview at step 17: loss 0.7711", True),
        (4, "58 right", False),  # how many there was time for
        (5, "score per second 0.9502", False),  # no tensor gave it
    ],
)
def test_a_number_of_a_tensor_is_a_result(number: int, other: str, is_one: bool) -> None:  # noqa: FBT001
    """In lines that say the same, if a word or its digits tell that it is none by chance."""
    line = OutputDifference(kind="line", name="stdout line 1", baseline=BASELINE[number], candidate=other)
    assert bool(find_results([line], ROLES)) is is_one
    assert not find_results([line], None)


@pytest.mark.parametrize(
    ("baseline", "candidate", "is_one"),
    [
        ("torch.float32 [8, 4], digest 1", "torch.float32 [8, 4], digest 2", True),
        ("float32 [8, 4], digest 1", "float32 [8, 4], digest 2", True),
        ("torch.float32 [8, 4], digest 1", None, False),  # saved when there was time
        ("float64 [8, 4], digest 1", "float64 [8, 4], digest 2", False),  # a log with a column of times
        ("torch.float32 [8], digest 1", "torch.float32 [8], digest 2", False),
        ("3.25, digest 1", "3.5, digest 2", False),
    ],
)
def test_a_saved_matrix_is_a_result(baseline: str, candidate: str | None, is_one: bool) -> None:  # noqa: FBT001
    """Nobody keeps times in one that has the type of weights."""
    saved = OutputDifference(kind="saved", name="saved m.pt[0]", baseline=baseline, candidate=candidate, step=3)
    assert bool(find_results([saved], None)) is is_one


@pytest.mark.parametrize(
    ("name", "baseline", "candidate", "is_one"),
    [
        ("m.json['accuracy']", "0.8123, digest 1a", "0.8001, digest 2b", True),
        ("m.json['best'][1]", "0.03713245, digest 1a", "0.03713999, digest 2b", True),
        ("m.json['best']", "0.8123, digest 1a", "0.8001, digest 2b", False),  # which no word labels
        ("m.json['seconds']", "0.941122, digest 1a", "0.950211, digest 2b", False),  # no tensor gave it
        ("m.csv row 3", "4, 0.03713245, 1.25, digest 1a", "4, 0.03713999, 1.31, digest 2b", True),
        ("m.csv row 3", "4, 0.03713245, digest 1a", "5, 0.03713999, digest 2b", False),  # of another moment
        ("m.csv row 3", "4, 0.03713245, digest 1a", None, False),
        ("log.txt line 2", "accuracy so far 0.8123", "accuracy so far 0.8001", True),
        ("log.txt line 2", "accuracy so far 0.8123", "no accuracy", False),
    ],
)
def test_a_number_of_a_tensor_in_a_file_is_a_result(
    name: str,
    baseline: str,
    candidate: str | None,
    is_one: bool,  # noqa: FBT001
) -> None:
    """As in a line that is printed."""
    part = OutputDifference(kind="file", name=name, baseline=baseline, candidate=candidate)
    assert bool(find_results([part], ROLES)) is is_one
    assert not find_results([part], None)


def test_a_file_of_another_moment_holds_no_results() -> None:
    """Its counts are others: a state that is written now and then, as the clock has it."""
    value = OutputDifference(
        kind="file", name="m.json['loss']", baseline="0.8123, digest 1a", candidate="0.8001, digest 2b"
    )
    step = OutputDifference(kind="file", name="m.json['step']", baseline="17, digest 1a", candidate="19, digest 2b")
    assert find_results([value], ROLES) == (value,)
    assert find_results([value, step], ROLES) == ()

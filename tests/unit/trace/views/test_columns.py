"""Losses of a whole run as columns: the same numbers as frame by frame, whatever else the frames keep."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, Any

import pytest

from reproof.trace import open_trace
from reproof.trace.views.columns import read_columns

if TYPE_CHECKING:
    from pathlib import Path

    from reproof.trace import RankTrace


def read_slowly(rank: RankTrace, stage: str) -> dict[str, list[tuple[int, float]]]:
    """Return the single numbers of a stage, frame by frame."""
    found: dict[str, list[tuple[int, float]]] = {}
    for index in range(len(rank)):
        frame = rank.frame(index)
        for (position, kind), numbers in rank.numbers(index).items():
            event = frame.layout.events[position]
            if event.stage == stage and kind == "exact" and len(numbers.values) == 1:
                value = numbers.values[0]
                assert not isinstance(value, str)
                found.setdefault(event.name, []).append((frame.step, value))
    return found


def assert_same(path: Path) -> None:
    """Hold the columns against the numbers of each frame."""
    rank = open_trace(path).ranks[0]
    columns = read_columns(rank, "loss")
    found = {name: list(zip(column.steps, column.values, strict=True)) for (_, name), column in columns.items()}
    assert repr(found) == repr(read_slowly(rank, "loss"))


def test_one_layout(run: Any, say: Any) -> None:
    """The rule: every frame alike."""
    assert_same(run("a", *([say.data("x", 1, 2), say.loss(i / 7)] for i in range(50))))


def test_numbers_of_other_sizes_between(run: Any, say: Any) -> None:
    """Samples that are kept of some batches move the place of the loss."""
    steps = [[say.data("x", *range(1 + i % 3)), say.loss(i / 7)] for i in range(40)]
    assert_same(run("a", *steps))


def test_equal_sizes_at_other_places(run: Any, say: Any) -> None:
    """A frame of the same size that keeps other numbers is not taken for one that keeps the loss there."""
    one, other = say.data("x"), say.loss(1.0)
    draw = random.Random(3)
    steps = []
    for i in range(60):
        kept = say.loss(i / 3).kept
        is_swapped = draw.random() < 0.5
        steps.append([one._replace(kept=kept if is_swapped else ()), other._replace(kept=() if is_swapped else kept)])
    assert_same(run("a", *steps))


def test_several_losses_types_and_values(run: Any, say: Any) -> None:
    """Each name has its column; NaN and infinities are numbers like others."""
    values = [math.nan, math.inf, -0.0, 1e-45]
    steps = [[say.loss(v), say.loss(v, name="other", typecode="d"), say.loss(2 * v)] for v in values]
    path = run("a", *steps)
    assert_same(path)
    assert read_columns(open_trace(path).ranks[0], "loss")["loss", "other"].typecode == "d"


def test_several_stages_in_one_pass(run: Any, say: Any) -> None:
    """Each with its names, which may be the same."""
    steps = [[say.loss(i / 7), say.loss(i / 3, stage="metric")] for i in range(20)]
    columns = read_columns(open_trace(run("a", *steps)).ranks[0], "loss", "metric")
    assert list(columns) == [("loss", "loss"), ("metric", "loss")]
    assert [column.values[3] for column in columns.values()] == pytest.approx([3 / 7, 1.0])


def test_a_run_without_losses(run: Any, say: Any) -> None:
    """There is no column."""
    assert read_columns(open_trace(run("a", [say.data("x")])).ranks[0], "loss") == {}

"""How far apart the results of the operation at fault lie, from what an experiment has measured."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from reproof.comparison import compare
from reproof.report.experiments import Experiment
from reproof.report.operations import describe_distances
from reproof.report.page import render_page
from reproof.report.rows import build_report
from reproof.schema import Cause
from reproof.trace import open_trace
from reproof.trace.probes import RepetitionWriter

if TYPE_CHECKING:
    from pathlib import Path

    from reproof.schema import UnstableOp


def test_a_cause_shows_what_repeating_its_operation_has_measured(
    parted: tuple[Path, Path], run: Any, say: Any, unstable: UnstableOp, tmp_path: Path
) -> None:
    """The histogram is that of its own line, from the experiment that proves it."""
    folder = run("e1", [say.loss(1)])
    writer = RepetitionWriter(folder, 0)
    for op in (replace(unstable, line=9, ulps=(1,)), unstable):
        writer.add(op)
    writer.close(2, 0)
    cause = Cause(
        kind="nondeterministic-op", source=unstable.name, file="train.py", line=12, text="", confirmed=True, step=0,
        evidence="gave 4 different results (experiment 1)",
    )  # fmt: skip
    tried = Experiment(number=1, purpose="p", seconds=1.0, trace=folder, window=1, first=None, problem=None)
    comparison = replace(compare(*parted, maps_steps=True), causes=(cause,))
    report = build_report(comparison, *map(open_trace, parted), experiments=[tried], folder=tmp_path)
    (row,) = report.causes
    assert row.ulps is not None
    assert row.ulps.told == "aten::index_put_ differs in 12 of 800 elements, by 2e-07 (9 ulp) at most."
    assert row.ulps.bars == ((1, 1, 8), (2, 3, 3), (4, 7, 0), (8, 15, 1))
    assert "How far apart its results lie" in render_page(report)


@pytest.mark.parametrize(
    ("ulps", "first", "last"),
    [((0,) * 20 + (5,), (1 << 20, (1 << 21) - 1, 5), None), ((1,) * 30, (1, 7, 3), (1 << 27, (1 << 30) - 1, 3))],
)
def test_many_sizes_are_put_together(ulps: tuple[int, ...], first: Any, last: Any, unstable: UnstableOp) -> None:
    """Never more than twelve bars, and none is left out."""
    row = describe_distances(replace(unstable, ulps=ulps))
    assert row is not None
    assert (row.bars[0], row.bars[-1]) == (first, last or first)
    assert sum(count for _, _, count in row.bars) == sum(ulps)
    assert len(row.bars) <= 12

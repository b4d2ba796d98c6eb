"""The losses of two runs in one plot, and where they part."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from reproof.cli.plot import DOTS, MARKS, QUARTERS, draw_curve
from reproof.errors import TraceError
from reproof.trace import open_trace
from reproof.trace.views.curves import Point

if TYPE_CHECKING:
    from reproof.cli.screen import Screen
    from reproof.schema import Comparison

MIN_POINTS: Final = 8
MAX_WIDTH: Final = 76
HEIGHT: Final = 7


def draw_losses(comparison: Comparison, screen: Screen, start: int = 0) -> list[str]:
    """Return the lines of the plot; none if the losses are equal, few, or cannot be read.

    `start` is the step with which the candidate begins: that of a resumed training.
    """
    first = comparison.first
    if first is None or first.process is not None or not comparison.losses:
        return []
    from reproof.report.curves import read_curve  # takes longer to import than a comparison takes
    from reproof.report.resumes import NO_SHIFT, Shift, ShiftedRank

    try:
        ranks = [
            ShiftedRank(open_trace(Path(run)).ranks[first.rank], shift)
            for run, shift in zip(comparison.runs, (NO_SHIFT, Shift(start)), strict=True)
        ]
        row = read_curve(ranks[0], ranks[1])
    except (KeyError, TraceError):
        return []
    if row is None or len(row.steps) < MIN_POINTS:
        return []
    sides = [
        [Point(step, float("nan") if value is None else value) for step, value in zip(row.steps, values, strict=True)]
        for values in (row.baseline, row.candidate)
    ]
    step = comparison.losses[0].step
    has_blocks = screen.is_unicode
    width = min(screen.width - 4, MAX_WIDTH)
    drawn = draw_curve(sides[0], width=width, height=HEIGHT, is_unicode=has_blocks, other=sides[1], mark=step)
    block, dot, mark = QUARTERS[has_blocks][-1], DOTS[has_blocks], MARKS[has_blocks]
    is_apart = any(dot in line for line in drawn)
    told = f"{block} baseline   {dot} candidate" if is_apart else f"{block} both: they are closer than a dot"
    return [*drawn, f"{told}   {mark} they part in step {step:,}"]

"""The map of steps, one line per stage: from left to right, where the runs are equal and where they part."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from reproof.schema import DIFFERENT, EQUAL, NOT_COMPARED

if TYPE_CHECKING:
    from reproof.schema import StepMap

SIGNS: Final = {True: " ─░▒█", False: " -?+#"}
"""By whether there is Unicode: nothing there, equal, not compared, differs in some steps, differs in all."""

MAX_WIDTH: Final = 48


def draw_map(steps: StepMap, *, width: int, is_unicode: bool) -> dict[str, str]:
    """Return a line for each stage; none if there is but one step.

    A character stands for as many steps as fit; one step that differs among them is never hidden.
    """
    num_columns = max((len(plane) for _, plane in steps.planes), default=0)
    size = min(width, MAX_WIDTH, num_columns)
    if size <= 1:
        return {}
    edges = [number * num_columns // size for number in range(size + 1)]
    signs = SIGNS[is_unicode]
    return {
        stage: "".join(signs[_weigh(plane[start:stop])] for start, stop in pairwise(edges)).rstrip()
        for stage, plane in steps.planes
    }


def _weigh(states: bytes) -> int:
    """Return which sign stands for the states of some steps."""
    if DIFFERENT in states:
        return 3 if EQUAL in states or NOT_COMPARED in states else 4
    if NOT_COMPARED in states:
        return 2
    return 1 if EQUAL in states else 0

"""Where two runs part in what happens, rather than in its bits: an event that only one of them has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reproof.comparison.tally import Extra
from reproof.schema import STAGES, Difference

if TYPE_CHECKING:
    from reproof.comparison.tally import Tally
    from reproof.trace import RankTrace


def find_first_extra(a: RankTrace, b: RankTrace, tally: Tally) -> Extra | None:
    """Return the first event that only one of the traces of a process has, or None if both have the same events."""
    if tally.extras:  # those of a step stand run by run
        return min(tally.extras, key=lambda extra: (extra.step, STAGES.index(extra.event.stage)))
    for trace, start in zip((a, b), tally.rest, strict=True):
        for frame in trace.frames(start):
            if frame.layout.events:
                return Extra(frame.step, frame.layout.events[0], is_in_baseline=trace is a)
    return None


def describe_extra(rank: int, extra: Extra, longer_by: str | None) -> Difference:
    """Return the event that only one run has as a difference."""
    owner = "baseline" if extra.is_in_baseline else "candidate"
    sides = ("recorded", "absent") if extra.is_in_baseline else ("absent", "recorded")
    return Difference(
        rank=rank,
        step=extra.step,
        stage=extra.event.stage,
        detail=extra.event.detail,
        name=extra.event.name,
        baseline=sides[0],
        candidate=sides[1],
        explanation=longer_by or f"only the {owner} does this",
    )


def comes_before(extra: Difference, other: Difference) -> bool:
    """Whether an event that only one run has comes before a difference in bits."""
    return (extra.step, STAGES.index(extra.stage)) < (other.step, STAGES.index(other.stage))

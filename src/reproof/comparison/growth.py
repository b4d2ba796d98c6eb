"""How a difference grows: the loss of both runs after they have parted, and the states of their random generators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reproof.schema import LossGap, RngGap
from reproof.trace.views.steps import name_generator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reproof.schema import Numbers
    from reproof.trace import RankTrace

MAX_SCANNED: Final = 1000
"""Steps looked through one by one for the first loss that differs."""


def find_loss_gaps(a: RankTrace, b: RankTrace, first_step: int) -> tuple[LossGap, ...]:
    """Return the losses of both runs from the first step on in which they differ, at doubling distances, and the last.

    Empty if the loss was not recorded, or does not differ soon after the runs have parted.
    """
    if not all(any(event.stage == "loss" for event in trace.events) for trace in (a, b)):
        return ()
    last = min(a.num_steps, b.num_steps) - 1
    scanned = range(first_step, min(last + 1, first_step + MAX_SCANNED))
    first = next((gap for step in scanned if (gap := read_gap(a, b, step)) and not gap.is_equal), None)
    if first is None:
        return ()
    later = [gap for step in doubling(first.step, last) if (gap := read_gap(a, b, step)) is not None]
    return (first, *later)


def doubling(start: int, last: int) -> Iterator[int]:
    """Yield steps at doubling distances after `start`, and the last."""
    distance = 1
    while start + distance < last:
        yield start + distance
        distance *= 2
    if last > start:
        yield last


def read_gap(a: RankTrace, b: RankTrace, step: int) -> LossGap | None:
    """Return the last loss of a step in both runs, or None unless both have one that is a single number."""
    losses = (read_loss(a, step), read_loss(b, step))
    return None if losses[0] is None or losses[1] is None else LossGap(step, losses[0], losses[1])


def read_loss(trace: RankTrace, step: int) -> float | None:
    """Return the last loss of a step, or None if none was recorded."""
    for index in reversed(trace.find_step(step)):
        frame = trace.frame(index)
        numbers = trace.numbers(index)
        for position in reversed(range(len(frame.layout.events))):
            kept = numbers.get((position, "exact")) if frame.layout.events[position].stage == "loss" else None
            if kept is not None and len(kept.values) == 1:
                return float(kept.values[0])
    return None


def find_rng_gaps(a: RankTrace, b: RankTrace, step: int) -> tuple[RngGap, ...]:
    """Return which generators were in other states at the end of the step before, and at the end of this step."""
    found = (compare_rng(a, b, which) for which in (step - 1, step) if which >= 0)
    return tuple(gap for gap in found if gap is not None)


def compare_rng(a: RankTrace, b: RankTrace, step: int) -> RngGap | None:
    """Return the generators whose states differ at the end of a step, or None if the states were not recorded."""
    states = (read_rng(a, step), read_rng(b, step))
    if states[0] is None or states[1] is None:
        return None
    common = sorted(states[0].keys() & states[1].keys())
    names = tuple(name_generator(source) for source in common if states[0][source] != states[1][source])
    return RngGap(step=step, differing=names, num_compared=len(common))


def read_rng(trace: RankTrace, step: int) -> dict[int, int] | None:
    """Return the states of the generators at the end of a step, as digests by number of the generator."""
    for index in reversed(trace.find_step(step)):
        for (_, kind), numbers in trace.numbers(index).items():
            if kind == "rng":
                return pair_up(numbers)
    return None


def pair_up(numbers: Numbers) -> dict[int, int]:
    """Return pairs of numbers as a dict."""
    values = [int(value) for value in numbers.values]
    return dict(zip(values[::2], values[1::2], strict=False))

"""The course of a run in numbers: losses and metrics over its steps, sampled so that no trace is too long to look at.

Only numbers that were kept exactly count, one per event. Left out: how they are drawn (`reproof.cli`).
"""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass
from itertools import compress
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from reproof.errors import TraceError
from reproof.trace.rank import COLUMN_FRAMES
from reproof.trace.views.export import spell_numbers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reproof.schema import Stage
    from reproof.trace.rank import RankTrace

MAX_SAMPLED: Final = 512
"""Frames of which the numbers are read, for the curves of one stage."""

SMALL_PRIMES: Final = (2, 3, 5, 7)


class Point(NamedTuple):
    """One number of a curve; several may be of one step."""

    step: int
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A loss or a metric over the steps of a run.

    Attributes:
        stage: ``loss`` or ``metric``.
        name: Name of its events.
        points: What was kept of them, in execution order; NaN and infinities as they are.
        stride: 1 if these are all the points there are; n if every n-th frame that may hold one was read, besides the
            first and the last.
    """

    stage: Stage
    name: str
    points: tuple[Point, ...]
    stride: int

    @property
    def finite(self) -> tuple[Point, ...]:
        """The points that are neither NaN nor infinite."""
        return tuple(point for point in self.points if math.isfinite(point.value))

    def to_json(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
        steps, values = [point.step for point in self.points], [point.value for point in self.points]
        return {"name": self.name, "stride": self.stride, "steps": steps, "values": spell_numbers(values)}


class SampledCurves(NamedTuple):
    """The curves of one stage, and what was damaged on the way to them, one line each."""

    curves: tuple[Curve, ...]
    damage: tuple[str, ...]


def sample_curves(rank: RankTrace, stage: Stage, max_frames: int = MAX_SAMPLED) -> SampledCurves:
    """Return the curves of a stage, one per name, from at most about `max_frames` frames spread over the trace."""
    positions = find_frames(rank, stage)
    stride = choose_stride(len(positions), max_frames)
    points: dict[str, list[Point]] = {}
    damage = []
    for index in spread(positions, stride):
        try:
            for name, point in read_points(rank, index, stage):
                points.setdefault(name, []).append(point)
        except TraceError as error:
            damage.append(error.problem)
    curves = (Curve(stage=stage, name=name, points=tuple(found), stride=stride) for name, found in points.items())
    return SampledCurves(tuple(curves), tuple(damage))


def find_frames(rank: RankTrace, stage: Stage) -> array[int]:
    """Return the positions of all frames whose layout has an event of a stage."""
    wanted = {n for n, layout in enumerate(rank.layouts) if any(event.stage == stage for event in layout.events)}
    found = array("Q")
    for start in range(0, rank.num_frames if wanted else 0, COLUMN_FRAMES):
        stop = min(start + COLUMN_FRAMES, rank.num_frames)
        column = rank.column("layout", start, stop)
        found.extend(compress(range(start, stop), map(wanted.__contains__, column)))
    return found


def choose_stride(num_frames: int, max_frames: int) -> int:
    """Return how far apart the sampled frames are.

    Losses often alternate with a short period (generator and discriminator, batches of an epoch): a stride that shares
    a small factor with the period would show only one of them.
    """
    stride = -(-num_frames // max_frames)
    while stride > 1 and any(stride % prime == 0 for prime in SMALL_PRIMES):
        stride += 1
    return max(1, stride)


def spread(positions: array[int], stride: int) -> Iterator[int]:
    """Yield the first position, the last, and every `stride`-th between."""
    if not positions:
        return
    offset = (len(positions) - 1) % stride
    if offset:
        yield positions[0]
    yield from positions[offset::stride]


def read_points(rank: RankTrace, index: int, stage: Stage) -> Iterator[tuple[str, Point]]:
    """Yield the numbers of one frame with the names of their events, in execution order.

    Raises TraceError if the frame is damaged.
    """
    frame, numbers = rank.frame(index), rank.numbers(index)
    for position, event in enumerate(frame.layout.events):
        kept = numbers.get((position, "exact")) if event.stage == stage else None
        if kept is not None and len(kept.values) == 1 and not isinstance(kept.values[0], str):
            yield event.name, Point(frame.step, kept.values[0])

"""Losses and metrics of both runs, in buckets that keep the smallest and largest of each and the largest difference.

All points are counted; of those that are drawn none is an average. Left out: reading them (`trace.views.columns`).
"""

from __future__ import annotations

import math
from operator import eq, sub
from typing import TYPE_CHECKING, Final

from reproof.closeness import ulp_distance
from reproof.report.records import CurveRow
from reproof.schema.telling import tell_size
from reproof.trace.views.columns import Column, read_columns

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reproof.schema import Stage
    from reproof.trace.rank import RankTrace

NUM_BUCKETS: Final = 600
MAX_CURVES: Final = 12
FLOATS: Final = frozenset("efd")


def read_curves(a: RankTrace, b: RankTrace, limit: int = MAX_CURVES) -> tuple[CurveRow, ...]:
    """Return the losses and metrics that both runs have, at most `limit` of them.

    Those that differ come first, and those that were logged once come last.
    """
    rows = list(_pair_columns(a, b, "loss", "metric"))
    return tuple(sorted(rows, key=lambda row: (row.num_compared == 1, row.stage != "loss", not row.num_differing)))[
        :limit
    ]


def read_curve(a: RankTrace, b: RankTrace) -> CurveRow | None:
    """Return the first loss that both runs have and that differs; None if there is none."""
    return next((row for row in _pair_columns(a, b, "loss") if row.num_differing), None)


def _pair_columns(a: RankTrace, b: RankTrace, *stages: Stage) -> Iterator[CurveRow]:
    """Yield what both runs have of each stage, one stage after the other."""
    columns = read_columns(a, *stages), read_columns(b, *stages)
    for stage, name in sorted(columns[0], key=lambda found: stages.index(found[0])):
        other = columns[1].get((stage, name))
        row = None if other is None else pair_up(stage, name, columns[0][stage, name], other)
        if row is not None:
            yield row


def pair_up(stage: Stage, name: str, a: Column, b: Column) -> CurveRow | None:
    """Return the points that both runs have; None if there is no such point."""
    steps, values_a, values_b = _match(a, b)
    if not steps:
        return None
    equal = list(map(eq, values_a, values_b))
    is_finite = all(map(math.isfinite, values_a)) and all(map(math.isfinite, values_b))
    if not is_finite:  # two NaN are the same loss
        equal = [same or (x != x and y != y) for same, x, y in zip(equal, values_a, values_b, strict=True)]  # noqa: PLR0124
    kept = sorted(_choose(values_a, values_b, equal, is_finite=is_finite))
    code = a.typecode if a.typecode == b.typecode and a.typecode in FLOATS else None
    points = [(values_a[i], values_b[i]) for i in kept]
    return CurveRow(
        stage=stage,
        name=name,
        steps=tuple(steps[i] for i in kept),
        baseline=tuple(_drawn(x) for x, _ in points),
        candidate=tuple(_drawn(y) for _, y in points),
        ulp=None if code is None else tuple(_count_ulp(x, y, code) for x, y in points),
        num_compared=len(steps),
        num_differing=len(equal) - sum(equal),
        told=_tell(stage, steps, list(_gaps(values_a, values_b, is_finite=is_finite)), equal),
    )


def _match(a: Column, b: Column) -> tuple[Sequence[int], Sequence[float], Sequence[float]]:
    """Return steps and numbers of the points that both runs have."""
    length = min(len(a.steps), len(b.steps))
    if a.steps[:length] == b.steps[:length]:
        return a.steps[:length], a.values[:length], b.values[:length]
    earlier, later = _number(a), _number(b)
    shared = [(step, value, later[step, place]) for (step, place), value in earlier.items() if (step, place) in later]
    steps, values_a, values_b = zip(*shared, strict=True) if shared else ((), (), ())
    return steps, values_a, values_b


def _number(column: Column) -> dict[tuple[int, int], float]:
    """Return numbers by step and place within it: where gradients are accumulated a step has several losses."""
    found: dict[tuple[int, int], float] = {}
    before, place = -1, 0
    for step, value in zip(column.steps, column.values, strict=True):
        before, place = step, place + 1 if step == before else 0
        found[step, place] = value
    return found


def _choose(a: Sequence[float], b: Sequence[float], equal: list[bool], *, is_finite: bool) -> set[int]:
    """Return the positions of the points that are drawn."""
    count = len(equal)
    if count <= 2 * NUM_BUCKETS:
        return set(range(count))
    first = equal.index(False) if False in equal else 0
    kept = {0, count - 1, first, max(0, first - 1)}
    for number in range(NUM_BUCKETS):
        start, stop = number * count // NUM_BUCKETS, (number + 1) * count // NUM_BUCKETS
        kept.update(start + position for position in _extremes(a[start:stop], b[start:stop], is_finite=is_finite))
        bucket = equal[start:stop]
        if False in bucket:
            kept.add(start + bucket.index(False))
    return kept


def _extremes(a: Sequence[float], b: Sequence[float], *, is_finite: bool) -> Iterator[int]:
    """Yield the positions of the smallest and largest numbers, and of the largest difference."""
    one, two = list(a), list(b)
    gaps = list(map(abs, map(sub, one, two)))
    if not is_finite:
        one, two, gaps = ([x if math.isfinite(x) else 0.0 for x in values] for values in (one, two, gaps))
    for values in (one, two):
        yield values.index(min(values))
        yield values.index(max(values))
    yield gaps.index(max(gaps))


def _drawn(value: float) -> float | None:
    """Return a number with nine digits, which tell every float32 apart; None where it cannot be drawn."""
    return float(f"{value:.9g}") if math.isfinite(value) else None


def _count_ulp(x: float, y: float, typecode: str) -> int:
    if not (math.isfinite(x) and math.isfinite(y)):
        return -1
    return min(ulp_distance(x, y, typecode), 2**53 - 1)


def _gaps(a: Sequence[float], b: Sequence[float], *, is_finite: bool) -> Iterator[float]:
    """Yield the absolute differences; -1 where one of the numbers is not finite."""
    gaps = map(abs, map(sub, a, b))
    return gaps if is_finite else (gap if math.isfinite(gap) else -1.0 for gap in gaps)


def _tell(stage: Stage, steps: Sequence[int], gaps: list[float], equal: list[bool]) -> str:
    """Say where the numbers differ first and most."""
    count = len(equal) - sum(equal)
    what = f"The {stage}"
    nouns = "steps" if len(set(steps)) == len(steps) else "values"
    if not count:
        return f"{what} is equal in all {len(equal):,} {nouns}."
    first, most = equal.index(False), gaps.index(max(gaps))
    told = f"{what} differs first in step {steps[first]:,}"
    if gaps[first] > 0:
        told += f", by {tell_size(gaps[first])}"
    if gaps[most] > 0 and most != first:
        told += f", and most in step {steps[most]:,}, by {tell_size(gaps[most])}"
    return f"{told}. It differs in {count:,} of {len(equal):,} {nouns}."

"""Conditions of both runs side by side, and what the runs read from outside, with whether the values differ."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from reproof.entropy.ledger import read_ledgers
from reproof.environment import UNKNOWN
from reproof.environment.highlights import select_conditions
from reproof.report.records import NUM_BINS, ConditionRow, SourceRow

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from reproof.entropy.ledger import Source
    from reproof.schema import Condition
    from reproof.trace import Trace

    Pair = tuple[Source | None, Source | None]

MAX_SOURCES: Final = 60
MAX_CHARACTERS: Final = 200


def describe_conditions(
    differing: tuple[Condition, ...], baseline: Trace, candidate: Trace
) -> tuple[tuple[ConditionRow, ...], int]:
    """Return the conditions that differ or that one run alone tells, and the most relevant of the others.

    Also how many packages are equal.
    """
    rows = [
        ConditionRow(
            name=one.name,
            baseline=str(one.baseline)[:MAX_CHARACTERS],
            candidate=str(one.candidate)[:MAX_CHARACTERS],
            differs=UNKNOWN not in (one.baseline, one.candidate),
            is_known=UNKNOWN not in (one.baseline, one.candidate),
        )
        for one in differing
    ]
    names = {row.name for row in rows}
    environments = baseline.header.environment, candidate.header.environment
    values = {one.name: one.value for one in select_conditions(environments[1])}
    for one in select_conditions(environments[0]):
        if one.name not in names and one.value is not None and values.get(one.name) == one.value:
            told = f"{one.topic} {one.label}".strip()
            shown = str(one.value)[:MAX_CHARACTERS]
            rows.append(ConditionRow(name=told, baseline=shown, candidate=shown, differs=False))
    return tuple(rows), _count_packages(*environments)


def _count_packages(a: Mapping[str, Any], b: Mapping[str, Any]) -> int:
    packages = a.get("packages"), b.get("packages")
    if not isinstance(packages[0], dict) or not isinstance(packages[1], dict):
        return 0
    return sum(packages[1].get(name) == version for name, version in packages[0].items())


def describe_sources(baseline: Path, candidate: Path, num_columns: int) -> tuple[SourceRow, ...]:
    """Return what the runs read from outside, a row per place; what differs first, then in the order of first reads.

    Columns are the steps, and one for what came after the last; 0 where there is no map.
    """
    sides = _collect(baseline), _collect(candidate)
    places: dict[tuple[str, str, str], list[tuple[str, Pair]]] = {}
    for key in dict.fromkeys([*sides[0], *sides[1]]):
        pair = sides[0].get(key), sides[1].get(key)
        found = pair[0] or pair[1]
        if found is not None:
            where = "" if found.file is None else f"{found.file}:{found.line}"
            places.setdefault((where, found.source, found.function or ""), []).append((key.partition(" ")[0], pair))
    rows = [_describe_place(place, pairs, num_columns) for place, pairs in places.items()]
    return tuple(sorted(rows, key=lambda row: (not row.differs, row.first_step)))[:MAX_SOURCES]


def _describe_place(place: tuple[str, str, str], pairs: list[tuple[str, Pair]], num_columns: int) -> SourceRow:
    steps: Counter[int] = Counter()
    apart: Counter[int] = Counter()
    is_apart = False
    for process, pair in pairs:
        has_steps = process.isdecimal() or any(step for one in pair if one is not None for step in one.steps)
        if not has_steps:  # the worker of a loader, say
            is_apart |= pair[0] is None or pair[1] is None or pair[0].values != pair[1].values
            continue
        a, b = ([] if one is None else one.values for one in pair)
        own = max((one.steps for one in pair if one is not None), key=len)
        steps.update(own)
        apart.update(step for step, x, y in zip(own, a, b, strict=False) if x != y)
        apart.update(own[min(len(a), len(b)) :])
    reads: Counter[int] = Counter()
    differing: Counter[int] = Counter()
    for counts, bins in ((steps, reads), (apart, differing)):
        for step, count in counts.items() if num_columns else ():
            bins[min(max(step, 0), num_columns - 1) * NUM_BINS // num_columns] += count
    totals = [
        sum(len(one.values) for one in side if one is not None) for side in zip(*(p for _, p in pairs), strict=True)
    ]
    return SourceRow(
        where=place[0],
        source=place[1],
        function=place[2],
        first_step=min(steps, default=0),
        num_baseline=totals[0],
        num_candidate=totals[1],
        differs=is_apart or bool(apart),
        num_processes=len(pairs),
        bins=tuple((number, reads[number], differing[number]) for number in sorted(reads)),
    )


def _collect(trace: Path) -> dict[str, Source]:
    """Return the sources of a run by process and key; none that was written down in case, and that nobody read."""
    return {
        f"{process} {key}": source
        for process, found in read_ledgers(trace).items()
        for key, source in found.items()
        if all(note.get("note") != "unused" for note in source.notes)
    }

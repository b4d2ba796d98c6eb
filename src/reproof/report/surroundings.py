"""Conditions of both runs side by side, and what the runs read from outside, with whether the values differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from reproof.entropy.ledger import read_ledgers
from reproof.environment.highlights import select_conditions
from reproof.report.records import ConditionRow, SourceRow

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from reproof.entropy.ledger import Source
    from reproof.schema import Condition
    from reproof.trace import Trace

MAX_SOURCES: Final = 60
MAX_CHARACTERS: Final = 200


def describe_conditions(
    differing: tuple[Condition, ...], baseline: Trace, candidate: Trace
) -> tuple[tuple[ConditionRow, ...], int]:
    """Return the conditions that differ, then the most relevant of those that do not; and the equal packages."""
    rows = [
        ConditionRow(
            name=one.name,
            baseline=str(one.baseline)[:MAX_CHARACTERS],
            candidate=str(one.candidate)[:MAX_CHARACTERS],
            differs=True,
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


def describe_sources(baseline: Path, candidate: Path) -> tuple[SourceRow, ...]:
    """Return what the runs read from outside, in the order of the first reads; what differs first."""
    sides = _collect(baseline), _collect(candidate)
    rows = []
    for key in dict.fromkeys([*sides[0], *sides[1]]):
        one, other = sides[0].get(key), sides[1].get(key)
        found = one or other
        if found is None:
            continue
        rows.append(
            SourceRow(
                where="" if found.file is None else f"{found.file}:{found.line}",
                source=found.source,
                function=found.function or "",
                first_step=found.steps[0] if found.steps else 0,
                num_baseline=len(one.values) if one else 0,
                num_candidate=len(other.values) if other else 0,
                differs=one is None or other is None or one.values != other.values,
            )
        )
    return tuple(sorted(rows, key=lambda row: (not row.differs, row.first_step)))[:MAX_SOURCES]


def _collect(trace: Path) -> dict[str, Source]:
    """Return the sources of a run by process and key."""
    return {
        f"{process} {key}": source for process, found in read_ledgers(trace).items() for key, source in found.items()
    }

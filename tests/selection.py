"""Which tests `make quick`, `make test` and `make thorough` run: the one place that chooses.

What is chosen depends on marks and names alone, so that a change fails for its own reason and for no other. Of a table
of cases those come first whose names have the lowest SHA-256: an order that nobody picked, that is the same everywhere,
and in which a new case moves no other.

Left out: what a machine cannot test (`conftest.py`).
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import pytest

Tier = Literal["quick", "test", "thorough"]

TIERS: Final[tuple[Tier, ...]] = ("quick", "test", "thorough")
"""quick: unit and property tests, but those marked `slow`. test: all but those marked `thorough`, and of a table marked
`one_of_each` or `a_part` a part. thorough: everything."""

QUICK_FOLDERS: Final = ("unit", "property")

TESTS: Final = Path(__file__).resolve().parent


def find_left_out(items: Iterable[pytest.Item], tier: Tier) -> Iterator[tuple[pytest.Item, str]]:
    """Yield the tests that a tier leaves out, each with the reason."""
    if tier == "thorough":
        return
    tables: dict[str, list[pytest.Item]] = {}
    for item in items:
        if tier == "quick" and not _is_quick(item):
            yield item, "not quick: `make test` runs it"
        elif item.get_closest_marker("thorough"):
            yield item, "`make thorough` runs it"
        elif item.get_closest_marker("one_of_each") or item.get_closest_marker("a_part"):
            tables.setdefault(item.nodeid.partition("[")[0], []).append(item)
    for table in tables.values():
        chosen = _choose_cases(table)
        yield from ((item, "`make thorough` runs all cases") for item in table if _case_of(item)[0] not in chosen)


def choose_one_of_each(kinds: Mapping[str, object]) -> set[str]:
    """Return the first name of each kind."""
    first: dict[object, str] = {}
    for name in _in_order(kinds):
        first.setdefault(kinds[name], name)
    return set(first.values())


def choose_a_part(names: Iterable[str], one_in: int) -> set[str]:
    """Return the first of the names, one in so many, rounded up."""
    ordered = _in_order(names)
    return set(ordered[: -(-len(ordered) // one_in)])


def _is_quick(item: pytest.Item) -> bool:
    folder = item.path.relative_to(TESTS).parts[0]
    return folder in QUICK_FOLDERS and item.get_closest_marker("slow") is None


def _choose_cases(table: list[pytest.Item]) -> set[str]:
    """Return the names of the cases of a table that `make test` runs."""
    cases = dict(_case_of(item) for item in table)
    marker = table[0].get_closest_marker("one_of_each")
    if marker is None:
        return choose_a_part(cases, table[0].get_closest_marker("a_part").kwargs["one_in"])  # type: ignore[union-attr]
    return choose_one_of_each({name: marker.kwargs["by"](case) for name, case in cases.items()})


def _case_of(item: Any) -> tuple[str, Any]:
    """Return name and value of the one parameter of a test."""
    (case,) = item.callspec.params.values()
    return item.callspec.id, case


def _in_order(names: Iterable[str]) -> list[str]:
    return sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest())

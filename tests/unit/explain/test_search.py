"""What a search believes of its experiments; whole searches are tests of real runs (`tests/causes`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reproof.explain.search import Search
from reproof.explain.suspects import DISK, HASH_SEED, Suspect

if TYPE_CHECKING:
    from collections.abc import Iterator


class ScriptedSearch(Search):
    """A search whose experiments come out as told."""

    def __init__(self, outcomes: list[bool], *, differs_anyway: bool) -> None:
        """Take these outcomes, one after the other."""
        self._by_choice = {}
        self._differs_anyway = differs_anyway
        self._outcomes: Iterator[bool] = iter(outcomes)

    def _explains(self, chosen: tuple[Suspect, ...]) -> bool:
        return next(self._outcomes)

    def _gives_candidate(self) -> bool:
        return next(self._outcomes)


@pytest.mark.parametrize(
    ("key", "differs_anyway", "outcomes"),
    [
        (HASH_SEED, False, [True, True, True]),
        (HASH_SEED, False, [True, True, False]),
        (HASH_SEED, False, [True, False]),
        (HASH_SEED, False, [False]),
        (DISK, False, [True]),
        (DISK, False, [False]),
        (DISK, True, [True, True, True]),
        (DISK, True, [True, True, False]),
        (DISK, True, [True, False]),
    ],
)
def test_what_may_agree_by_chance_must_take_the_divergence_away_twice(
    key: str, *, differs_anyway: bool, outcomes: list[bool]
) -> None:
    """The hash seed differs in any two runs, and so does a step that races: the candidate must come of its own, too.

    A file of an earlier run is there or it is not.
    """
    search = ScriptedSearch(outcomes, differs_anyway=differs_anyway)
    assert search._is_proven((Suspect(key=key, kind="hash-order", source=key),)) is all(outcomes)
    assert next(search._outcomes, None) is None

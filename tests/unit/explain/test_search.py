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

    def __init__(self, outcomes: list[bool]) -> None:
        """Take these outcomes, one after the other."""
        self._by_choice = {}
        self._outcomes: Iterator[bool] = iter(outcomes)

    def _explains(self, chosen: tuple[Suspect, ...]) -> bool:
        return next(self._outcomes)

    def _gives_candidate(self) -> bool:
        return next(self._outcomes)


@pytest.mark.parametrize(
    ("key", "outcomes"),
    [
        (HASH_SEED, [True, True, True]),
        (HASH_SEED, [True, True, False]),
        (HASH_SEED, [True, False]),
        (HASH_SEED, [False]),
        (DISK, [True]),
        (DISK, [False]),
    ],
)
def test_the_hash_seed_must_take_the_divergence_away_twice(key: str, outcomes: list[bool]) -> None:
    """It differs in any two runs, so that agreeing may be chance: the candidate must come of its own, too.

    A file of an earlier run is there or it is not.
    """
    search = ScriptedSearch(outcomes)
    assert search._is_proven((Suspect(key=key, kind="hash-order", source=key),)) is all(outcomes)
    assert next(search._outcomes, None) is None

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


def test_the_line_that_reads_a_clock_more_often_is_named_first() -> None:
    """It takes the time since the other; causes of other kinds keep their places."""
    search = ScriptedSearch([], differs_anyway=False)
    start = Suspect(key="a", kind="wall-clock", source="time.time", line=3, num_reads=1)
    now = Suspect(key="b", kind="wall-clock", source="time.time", line=9, num_reads=40)
    noise = Suspect(key="c", kind="unseeded-rng", source="random", line=1)
    draws = Suspect(key="d", kind="os-entropy", source="os.urandom", line=2, num_reads=90)
    assert search._order((noise, start, now, draws)) == (noise, now, start, draws)
    assert search._order((start, now, noise)) == (now, start, noise)

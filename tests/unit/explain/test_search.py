"""What a search believes of its experiments; whole searches are tests of real runs (`tests/causes`)."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from reproof.explain.laboratory import BudgetSpentError, Trial
from reproof.explain.search import Search
from reproof.explain.suspects import DISK, HASH_SEED, Suspect
from reproof.launch.processes import FinishedRun
from reproof.schema import Difference

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reproof.schema import Cause


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


def test_what_was_found_is_kept_when_no_more_experiments_may_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that differs by what is read is searched for operations as well, which may cost more than there is."""
    anything: Any = None
    first = Difference(
        rank=0, step=2, stage="batch", detail="content", name="x", baseline="a", candidate="b", num_events=7
    )
    run = FinishedRun(trace=anything, exit_code=0, seconds=1.0, changes=anything, output=None)
    replica = Trial(number=1, purpose="", run=run, first=replace(first, num_events=9))
    laboratory: Any = SimpleNamespace(
        trials=[], setting=SimpleNamespace(overlay=None, request=SimpleNamespace(trace=anything))
    )
    cause: Any = SimpleNamespace(confirmed=True)
    search = Search(laboratory, first, anything)
    answers = {"_collect": [], "_replay_all": replica, "_collect_orders": [], "_find_replayed": [cause]}
    for name, answer in answers.items():
        monkeypatch.setattr(search, name, lambda *_, answer=answer: answer)

    def spend(*_: Any) -> list[Cause]:
        raise BudgetSpentError

    monkeypatch.setattr("reproof.explain.search.find_computed_causes", spend)
    with pytest.raises(BudgetSpentError):
        search.run()
    assert search.causes == [cause]

"""When a call is to blame whose source no tap sees; real runs are in `tests/causes`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from reproof.entropy.calls.records import Finding, Spot
from reproof.explain.hypotheses import unseen
from reproof.explain.hypotheses.unseen import UnseenSource, choose

if TYPE_CHECKING:
    from collections.abc import Callable

    from reproof.schema import Cause, Difference


def finding(line: int, *, is_origin: bool = True, is_healed: bool = True) -> Finding:
    """Return what a run has found on a line."""
    spot = Spot(file="a.py", line=line, column=0, what="call", text="table.sample").name
    return Finding(
        spot=spot,
        stream="main",
        number=line,
        source="polars.DataFrame.sample",
        is_origin=is_origin,
        is_whole=True,
        is_healed=is_healed,
    )


@pytest.fixture
def explain(
    first: Difference, make_inquiry: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[list[Cause], list[Any]]]:
    """Return what tests the hypothesis on a run with these findings, and returns the causes and the plans."""
    monkeypatch.setattr(unseen, "is_uninitialized", lambda _inquiry: False)

    def test(findings: list[Finding], *results: Difference | None) -> tuple[list[Cause], list[Any]]:
        monkeypatch.setattr(unseen, "read_findings", lambda _trace: findings)
        inquiry = make_inquiry(*results)
        inquiry = replace(inquiry, replica=replace(inquiry.replica, first=first))
        return UnseenSource().test(inquiry), inquiry.laboratory.plans

    return test


def test_one_call_takes_two_experiments(explain: Any, first: Difference) -> None:
    """One notes, the other puts its results in place: with one place that is the proof."""
    causes, plans = explain([finding(3)], first, None)
    (cause,) = causes
    assert (cause.kind, cause.line, cause.confirmed) == ("unseen-source", 3, True)
    assert "(experiment 3)" in cause.evidence
    assert [plan.heals for plan in plans] == [None, None]
    assert [plan.calls_of is None for plan in plans] == [True, False]


def test_of_several_calls_those_are_named_that_are_needed(explain: Any, first: Difference) -> None:
    """Each verified alone: the last one that was found is tried first."""
    causes, plans = explain([finding(3), finding(7)], first, None, first, None)
    assert [cause.line for cause in causes] == [3]
    assert [plan.heals for plan in plans[2:]] == [(finding(7).spot,), (finding(3).spot,)]


def test_a_call_that_cannot_be_put_in_place_is_only_suspected(explain: Any, first: Difference) -> None:
    """It is named all the same."""
    causes, _ = explain([finding(3, is_healed=False)], first, first)
    assert [(cause.line, cause.confirmed) for cause in causes] == [(3, False)]


@pytest.mark.parametrize("found", [[], [finding(3, is_origin=False, is_healed=False)]])
def test_nothing_is_said_where_no_call_explains_it(explain: Any, first: Difference, found: list[Finding]) -> None:
    """Nothing was found, or only what follows from something else."""
    assert explain(found, first, first)[0] == []


def test_nothing_is_said_where_the_divergence_comes_and_goes(explain: Any) -> None:
    """The run that only notes agrees with the baseline: putting results in place would prove nothing."""
    causes, plans = explain([finding(3)], None)
    assert (causes, len(plans)) == ([], 1)


def test_places_are_tried_one_by_one_where_a_run_does_not_bear_them_all(
    explain: Any, first: Difference, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A port or a handle of the earlier run leads nowhere: the run fails."""
    real = unseen.heal

    def fail_whole(inquiry: Any, noted: Any, chosen: Any) -> Any:
        trial = real(inquiry, noted, chosen)
        return replace(trial, problem="it failed") if chosen is None else trial

    monkeypatch.setattr(unseen, "heal", fail_whole)
    causes, plans = explain([finding(3), finding(7)], first, first, first, first, None)
    assert [(cause.line, cause.confirmed) for cause in causes] == [(3, True)]
    assert [plan.heals for plan in plans[1:]] == [None, (), (finding(7).spot,), (finding(3).spot,)]


def test_a_draw_from_a_generator_that_has_changed_unseen_is_a_race(explain: Any, first: Difference) -> None:
    """Tasks share it: which of them was there first decides what each draws."""
    shared = replace(finding(3, is_origin=False), source="numpy.RandomState.randint")
    assert [(cause.kind, cause.confirmed) for cause in explain([shared], first, None)[0]] == [("concurrency", True)]


def test_later_origins_come_first_and_each_spot_once() -> None:
    """Before what only follows."""
    found = [finding(3), finding(5, is_origin=False), finding(3), finding(7)]
    assert [Spot.read(one.spot).line for one in choose(found)] == [7, 3, 5]

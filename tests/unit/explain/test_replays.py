"""What is believed of experiments with chosen sources; whole searches are tests of real runs (`tests/causes`)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from reproof.explain.replays import Replays, replay
from reproof.explain.suspects import DISK, HASH_SEED, Suspect

if TYPE_CHECKING:
    from collections.abc import Callable

    from reproof.schema import Difference


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
    key: str, *, differs_anyway: bool, outcomes: list[bool], first: Difference, make_inquiry: Callable[..., Any]
) -> None:
    """The hash seed differs in any two runs, and so does a step that races: the candidate must come of its own, too.

    A file of an earlier run is there or it is not.
    """
    is_asked_for_candidate = len(outcomes) == 3
    results = [None if agrees else first for agrees in outcomes[:2]] + [first] * is_asked_for_candidate
    inquiry = make_inquiry(*results, differs_anyway=differs_anyway)
    inquiry.laboratory.candidate_again = None if outcomes[-1] else first
    suspect = Suspect(key=key, kind="hash-order", source=key)
    assert Replays(inquiry=inquiry).is_proven((suspect,)) is all(outcomes)
    assert len(inquiry.laboratory.trials) == 1 + len(results)


def test_the_line_that_reads_a_clock_more_often_is_named_first(make_inquiry: Callable[..., Any]) -> None:
    """It takes the time since the other; causes of other kinds keep their places."""
    replays = Replays(inquiry=make_inquiry())
    start = Suspect(key="a", kind="wall-clock", source="time.time", line=3, num_reads=1)
    now = Suspect(key="b", kind="wall-clock", source="time.time", line=9, num_reads=40)
    noise = Suspect(key="c", kind="unseeded-rng", source="random", line=1)
    draws = Suspect(key="d", kind="os-entropy", source="os.urandom", line=2, num_reads=90)
    assert replays.order((noise, start, now, draws)) == (noise, now, start, draws)
    assert replays.order((start, now, noise)) == (now, start, noise)


def test_a_run_that_parts_later_in_the_step_agrees_only_where_the_step_differs_anyway(
    first: Difference, make_inquiry: Callable[..., Any]
) -> None:
    """Otherwise something else is still to be found in that step."""
    for differs_anyway in (False, True):
        inquiry = make_inquiry(differs_anyway=differs_anyway)
        assert inquiry.agrees(inquiry.replica)
        later = make_inquiry(differs_anyway=True).replica
        assert inquiry.agrees(later) is differs_anyway
        assert not inquiry.agrees(inquiry.laboratory.add("diverges", first))


def test_an_experiment_that_failed_is_no_proof_of_anything(first: Difference, make_inquiry: Callable[..., Any]) -> None:
    """It is neither said to diverge nor to agree."""
    inquiry = make_inquiry(None)
    suspect = Suspect(key=DISK, kind="leftover-files", source=DISK)
    replays = Replays(inquiry=inquiry)
    assert replays.explains((suspect,))
    trials = inquiry.laboratory.trials
    trials.append(replace(inquiry.laboratory.add("fails", first), problem="no trace"))
    del trials[-2]
    assert not replays.has_diverged()
    assert replays.describe((suspect,), suspect) == (
        "with the baseline's value here and the candidate's everywhere else, "
        "the run equals the baseline through step 2 (experiment 2)"
    )


def test_each_of_several_causes_has_the_experiment_that_leaves_it_to_the_candidate(
    first: Difference, make_inquiry: Callable[..., Any]
) -> None:
    """What diverged with another one's value, or with numbers drawn on a line of another one, proves nothing of it."""
    a, b, c = (Suspect(key=key, kind="os-entropy", source=key) for key in "abc")
    replays = Replays(inquiry=make_inquiry(first, first, None, first))
    assert [replays.explains(chosen) for chosen in ((a,), (b, c), (a, b))] == [False, False, True]
    replays.inquiry.laboratory.run("a line of a perturbed", None)
    diverged = [replays.describe((a, b), one).rpartition("; ")[2] for one in (a, b)]
    assert diverged == [f"with the candidate's here too it diverges (experiment {number})" for number in (3, 2)]


def test_a_line_that_read_an_older_file_instead_of_its_own_shows_what_that_does(
    first: Difference, make_inquiry: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once its own was gone the runs still differed: with what the candidate found, in part."""
    suspect = Suspect(key=DISK, kind="leftover-files", source=DISK)
    replays = Replays(inquiry=make_inquiry(first, None))
    monkeypatch.setattr(Replays, "_reads_instead", lambda *_: len(replays.inquiry.laboratory.trials) == 2)
    assert replays.explains((suspect,))
    assert replays.describe((suspect,), suspect).endswith("; with the candidate's here too it diverges (experiment 2)")


def test_an_order_that_was_found_before_is_replayed_with_every_later_choice(make_inquiry: Callable[..., Any]) -> None:
    """It stays taken away, although only something else is tried now."""
    inquiry = make_inquiry(None, None)
    clock = Suspect(key="time.time@a.py:3", kind="wall-clock", source="time.time")
    replay(inquiry, (clock,), "before", num_steps=3)
    inquiry.removals.add(Suspect(key="set@a.py:9", kind="hash-order", source="set"))
    replay(inquiry, (clock,), "after", num_steps=3)
    before, after = inquiry.laboratory.plans
    assert (before.keys, before.watches_orders, before.details) == ((clock.key,), False, None)
    assert (after.keys, after.watches_orders, after.details) == (
        ("set@a.py:9", clock.key),
        True,
        str(inquiry.replica.trace),
    )

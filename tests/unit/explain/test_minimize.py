"""The search for a smallest set of suspects."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from reproof.explain.minimize import minimize

if TYPE_CHECKING:
    from collections.abc import Iterable

SUSPECTS = "abcdefgh"


class Experiments:
    """Answers as a training would whose causes are known, and counts the questions."""

    def __init__(self, causes: Iterable[str]) -> None:
        """Have these causes."""
        self.causes = frozenset(causes)
        self.asked: list[tuple[str, ...]] = []

    def explains(self, chosen: tuple[str, ...]) -> bool:
        """Say whether all causes are chosen."""
        self.asked.append(chosen)
        return self.causes <= set(chosen)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_exactly_the_causes_are_found(count: int) -> None:
    """Whatever the causes are and wherever they stand, they are found, and nothing besides."""
    for causes in itertools.combinations(SUSPECTS, count):
        assert set(minimize(SUSPECTS, Experiments(causes).explains)) == set(causes)


def test_the_likeliest_suspect_takes_one_experiment() -> None:
    """A right first guess needs no second one."""
    experiments = Experiments("a")
    minimize(SUSPECTS, experiments.explains)
    assert experiments.asked == [("a",)]


def test_the_second_guess_takes_two_experiments() -> None:
    """What stands first by chance costs one experiment, not a search."""
    experiments = Experiments("b")
    minimize(SUSPECTS, experiments.explains)
    assert experiments.asked == [("a",), ("b",)]


def test_no_experiment_is_made_twice() -> None:
    """What was asked once is known."""
    for causes in itertools.combinations(SUSPECTS, 2):
        experiments = Experiments(causes)
        minimize(SUSPECTS, experiments.explains)
        assert len(set(experiments.asked)) == len(experiments.asked)


def test_a_single_cause_takes_few_experiments() -> None:
    """One cause among eight suspects is found in no more than 1 + 2 log2(8) experiments."""
    for cause in SUSPECTS:
        experiments = Experiments(cause)
        minimize(SUSPECTS, experiments.explains)
        assert len(experiments.asked) <= 7


def test_a_single_suspect_needs_no_experiment() -> None:
    """All suspects together explain: if there is one, it is the cause."""
    experiments = Experiments("a")
    assert minimize("a", experiments.explains) == ("a",)
    assert experiments.asked == []

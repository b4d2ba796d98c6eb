"""Which seeds are noted and what is given in their place; real generators are in `test_entropy_replay.py`."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from reproof.entropy.plan import Plan
from reproof.entropy.sources.seeds import MAX_SEEDS, Seeds, change


@pytest.mark.parametrize("seed", [17, 2**63, 4.5, "fold 3", b"key", b"", [1, 2], np.int64(9), np.array([1, 2])])
def test_another_seed_is_of_the_same_type(seed: Any) -> None:
    """A generator takes it as it would have taken the first."""
    other = change(seed)
    assert type(other) is type(seed)
    assert repr(other) != repr(seed)


@pytest.mark.parametrize(
    "given", [None, np.random.SeedSequence(1), np.random.default_rng(1), "", ["a"], np.array([1.5])]
)
def test_what_is_no_seed_stays(given: Any) -> None:
    """A generator that is handed on, or nothing."""
    assert change(given) is None


def test_each_seed_of_a_line_is_noted_once_and_one_is_replaced() -> None:
    """A data set makes a generator for each sample; a seed is known by its value, as threads come in any order."""
    noted: list[str] = []
    ledger = SimpleNamespace(note=lambda _what, value: noted.append(value), add_problem=noted.append)
    first: Any = SimpleNamespace(plan=Plan(), ledger=ledger, on_child=[])
    seeds = Seeds(first)
    assert [seeds.take("random.seed", number % 3) for number in range(9)] == [0, 1, 2] * 3
    assert [entry.rpartition("=")[2] for entry in noted] == ["0", "1", "2"]
    assert all(entry.startswith("random.seed@") for entry in noted)
    for number in range(MAX_SEEDS + 5):
        seeds.take("random.seed", number)
    assert len(noted) == MAX_SEEDS
    place = noted[1].rpartition(":")[0]
    again: Any = SimpleNamespace(plan=Plan(reseeds=(f"{place}:{_line() + 2}=1",)), ledger=ledger, on_child=[])
    changed = Seeds(again)
    assert [changed.take("random.seed", number) for number in (0, 1, 2)] == [0, 0, 2]


def _line() -> int:
    return sys._getframe(1).f_lineno  # the documented way to the stack

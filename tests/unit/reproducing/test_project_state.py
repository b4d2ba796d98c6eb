"""What the modules of a project hold between two trainings: told when it changes, and set back."""

from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING, Any

import pytest

from reproof.reproducing.project_state import ProjectState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SOURCE = """
import functools
import random

import torch

RNG = random.Random(0)
MODEL = torch.nn.Linear(2, 1)
GENERATOR = torch.Generator().manual_seed(0)
CACHE = {}
COUNT = 0
CONSTANT = [1, 2]
RULE = lambda x: x + 1


class Counter:
    seen = []


@functools.lru_cache
def slow(x):
    return x + 1


def remember(x, seen=[]):
    seen.append(x)
"""
CHANGES: dict[str, Callable[[Any], object]] = {
    "RNG": lambda module: module.RNG.random(),
    "MODEL": lambda module: module.MODEL.weight.data.add_(1),
    "GENERATOR": lambda module: module.torch.rand(1, generator=module.GENERATOR),
    "CACHE": lambda module: module.CACHE.update(a=1),
    "COUNT": lambda module: setattr(module, "COUNT", 1),
    "Counter.seen": lambda module: module.Counter.seen.append(1),
    "slow": lambda module: module.slow(1),
    "remember": lambda module: module.remember(1),
}


LINES = {
    "RNG": 7,
    "MODEL": 8,
    "GENERATOR": 9,
    "CACHE": 10,
    "COUNT": 11,
    "Counter.seen": 16,
    "slow": 21,
    "remember": 25,
}


@pytest.fixture
def module(tmp_path: Path) -> Iterator[Any]:
    """Return a module of a project with state of several kinds."""
    path = tmp_path / "stateful.py"
    path.write_text(SOURCE)
    spec = importlib.util.spec_from_file_location("stateful_for_test", path)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules["stateful_for_test"] = made
    spec.loader.exec_module(made)
    yield made
    del sys.modules["stateful_for_test"]


@pytest.mark.parametrize("name", CHANGES)
def test_what_changes_is_named_and_set_back(name: str, module: Any, tmp_path: Path) -> None:
    """Only the object that was changed is named, with its line, and afterwards it holds what it held."""
    state = ProjectState(tmp_path)
    assert state.find_changed() == []
    restore = state.save([f"{name} of stateful.py:{LINES[name]}"])
    CHANGES[name](module)
    assert state.find_changed() == [f"{name} of stateful.py:{LINES[name]}"]
    restore()
    assert state.find_changed() == []


def test_reading_changes_nothing(module: Any, tmp_path: Path) -> None:
    """Using a model or a constant without changing it is not state."""
    state = ProjectState(tmp_path)
    module.MODEL(module.torch.ones(1, 2))
    module.RULE(sum(module.CONSTANT))
    assert state.find_changed() == []

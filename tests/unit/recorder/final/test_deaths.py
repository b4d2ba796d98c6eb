"""Modules and optimizers tell of their end without living a moment longer for it."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn

from reproof.recorder.final.deaths import observe_deaths

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def dead() -> Iterator[list[tuple[str, int]]]:
    """Return the classes of what dies, with the number of parameters that were still there."""
    found: list[tuple[str, int]] = []

    def note(dying: Any) -> None:
        held = dying.param_groups if isinstance(dying, torch.optim.Optimizer) else dying._parameters
        found.append((type(dying).__name__, len(held)))

    end = observe_deaths(note)
    yield found
    end()
    assert "__del__" not in nn.Module.__dict__
    assert "__del__" not in torch.optim.Optimizer.__dict__
    assert "__init_subclass__" not in nn.Module.__dict__


def test_parameters_are_still_there_when_a_model_dies(dead: list[tuple[str, int]]) -> None:
    """A model that is local to a function, and its optimizer."""

    def train() -> None:
        model = nn.Linear(2, 1)
        torch.optim.SGD(model.parameters(), lr=0.1)

    train()
    assert sorted(dead) == [("Linear", 2), ("SGD", 1)]


def test_a_cycle_is_seen_when_it_is_collected(dead: list[tuple[str, int]]) -> None:
    """Weak references are gone by then, parameters are not."""
    model = nn.Linear(2, 1)
    model.me = [model]  # type: ignore[assignment]
    del model
    gc.collect()
    assert ("Linear", 2) in dead


def test_a_class_with_a_finalizer_of_its_own_is_seen_and_keeps_it(dead: list[tuple[str, int]]) -> None:
    """Whether the class was there before or is defined afterwards."""
    ended = []

    class Own(nn.Linear):
        def __del__(self) -> None:
            ended.append("own")

    Own(2, 1)
    assert ended == ["own"]
    assert dead == [("Own", 2)]


def test_the_order_of_finalizers_is_as_without() -> None:
    """Root, its part, a weight: `weakref.finalize` of the user's sees no difference."""

    def run() -> list[str]:
        order: list[str] = []
        model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
        for name, thing in (("root", model), ("part", model[0]), ("weight", model[0].weight)):
            weakref.finalize(thing, order.append, name)
        del model, thing
        gc.collect()
        return order

    expected = run()
    end = observe_deaths(lambda _: None)
    try:
        assert run() == expected
    finally:
        end()


def test_copies_and_pickles_are_as_without(dead: list[tuple[str, int]]) -> None:
    """Nothing of ours is in them."""
    model = nn.Linear(2, 1)
    assert vars(copy.deepcopy(model)).keys() == vars(model).keys()
    assert b"reproof" not in pickle.dumps(model)


def test_an_error_of_ours_is_not_the_programs(capsys: pytest.CaptureFixture[str]) -> None:
    """Python prints what an observer raises, and the program goes on."""
    unraisable: list[Any] = []
    end = observe_deaths(lambda _: 1 / 0)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.unraisablehook", unraisable.append)
            nn.Linear(2, 1)
    finally:
        end()
    assert [type(one.exc_value) for one in unraisable] == [ZeroDivisionError]

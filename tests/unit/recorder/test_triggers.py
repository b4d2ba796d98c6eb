"""The first moment at which a process trains or evaluates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn

from reproof.recorder.triggers import Triggers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Scale(nn.Module):
    """A module without parameters, as a transformation of data."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the double."""
        return 2 * x


@pytest.fixture
def fired() -> Iterator[list[int]]:
    """Wait for the training; return a list that has an entry once it has begun."""
    seen: list[int] = []

    def fire() -> None:
        seen.append(1)
        triggers.disarm()

    triggers = Triggers(fire)
    yield seen
    triggers.disarm()


def step_alone(optimizer: torch.optim.Optimizer) -> None:
    """Make a step with gradients that were set by hand."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = torch.ones_like(parameter)
    optimizer.step()


model = nn.Linear(2, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
leaf = torch.ones(2, requires_grad=True)


@pytest.mark.parametrize(
    "begin",
    [
        lambda: model(torch.ones(1, 2)),
        lambda: (leaf * 2).sum().backward(),
        lambda: torch.autograd.grad((leaf * 2).sum(), leaf),
        lambda: torch.func.grad(lambda x: (x * 2).sum())(torch.ones(2)),
        lambda: torch.optim.Adam([leaf]),
        lambda: step_alone(optimizer),
    ],
    ids=["model", "backward", "grad", "func", "optimizer", "step"],
)
def test_a_training_is_seen(fired: list[int], begin: Callable[[], Any]) -> None:
    """A call of a model, a gradient, an optimizer or its step: each is seen once."""
    begin()
    assert fired == [1]


def test_what_prepares_data_is_none(fired: list[int]) -> None:
    """Tensors, modules without parameters, and models that are only made."""
    Scale()(torch.randn(3)).sum()
    nn.Linear(2, 1)
    assert fired == []


def test_pytorch_is_as_it_was_afterwards() -> None:
    """Its functions are its own again."""
    places: list[tuple[Any, str]] = [
        (nn.Module, "__call__"),
        (torch.autograd, "backward"),
        (torch.optim.Optimizer, "__init__"),
        (torch.optim.SGD, "step"),
    ]
    before = [getattr(*place) for place in places]
    triggers = Triggers(lambda: None)
    assert [getattr(*place) for place in places] != before
    triggers.disarm()
    assert [getattr(*place) for place in places] == before

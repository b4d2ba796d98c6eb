"""What a step is: it ends when an optimizer has stepped, or, where there is none, with each backward pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

import reproof
from reproof.trace import open_trace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.conftest import Events


@pytest.fixture
def loader() -> DataLoader:
    """Return a loader of three batches."""
    return DataLoader(torch.arange(12.0).reshape(6, 2), batch_size=2)


@pytest.fixture
def model() -> nn.Module:
    """Return a small model."""
    return nn.Linear(2, 1)


@pytest.fixture
def steps_of(
    tmp_path: Path, read_events: Callable[[Path], Events]
) -> Callable[[Callable[[], None]], tuple[list[int], int]]:
    """Return what records a training and tells the step of each batch, and how many steps there were."""

    def record(train: Callable[[], None]) -> tuple[list[int], int]:
        folder = tmp_path / "run"
        with reproof.record(folder, level="batches"):
            train()
        return read_events(folder).contents().steps, open_trace(folder).ranks[0].num_steps

    return record


StepsOf = "Callable[[Callable[[], None]], tuple[list[int], int]]"


def test_each_optimizer_step_ends_a_step(steps_of: StepsOf, loader: DataLoader, model: nn.Module) -> None:
    """One batch, one step, over all epochs."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

    def train() -> None:
        for _ in range(2):
            for batch in loader:
                model(batch).sum().backward()
                optimizer.step()

    assert steps_of(train) == ([0, 1, 2, 3, 4, 5], 6)


def test_accumulated_gradients_are_one_step(steps_of: StepsOf, loader: DataLoader, model: nn.Module) -> None:
    """Batches whose gradients are added up belong to the step that uses them."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

    def train() -> None:
        for _ in range(2):
            for i, batch in enumerate(loader):
                model(batch).sum().backward()
                if i == 1:
                    optimizer.step()

    assert steps_of(train) == ([0, 0, 1, 1, 1, 2], 2)


def test_each_of_several_optimizers_ends_a_step(steps_of: StepsOf, loader: DataLoader, model: nn.Module) -> None:
    """Two optimizers, as of a generator and its critic, make two steps of a batch."""
    other = nn.Linear(1, 1)
    optimizers = [torch.optim.Adam(part.parameters()) for part in (model, other)]

    def train() -> None:
        for batch in loader:
            other(model(batch)).sum().backward()
            for optimizer in optimizers:
                optimizer.step()

    assert steps_of(train)[0] == [0, 2, 4]


def test_a_closure_that_is_called_often_makes_one_step(steps_of: StepsOf, loader: DataLoader, model: nn.Module) -> None:
    """L-BFGS evaluates the loss many times within one step."""
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.01, max_iter=4)
    num_calls = 0

    def train() -> None:
        for batch in loader:

            def compute_loss(batch: torch.Tensor = batch) -> torch.Tensor:
                nonlocal num_calls
                num_calls += 1
                optimizer.zero_grad()
                loss = model(batch).square().sum()
                loss.backward()
                return loss

            optimizer.step(compute_loss)

    assert steps_of(train) == ([0, 1, 2], 3)
    assert num_calls > 3


def test_without_an_optimizer_each_backward_pass_ends_a_step(
    steps_of: StepsOf, loader: DataLoader, model: nn.Module
) -> None:
    """A training that updates its parameters by hand has steps as well."""

    def train() -> None:
        for batch in loader:
            model(batch).sum().backward()
            with torch.no_grad():
                for parameter in model.parameters():
                    parameter.sub_(0.01 * parameter.grad)
                    parameter.grad = None

    assert steps_of(train) == ([0, 1, 2], 3)


def test_an_optimizer_of_another_training_that_somebody_keeps_is_none_of_this(
    steps_of: StepsOf, loader: DataLoader, model: nn.Module
) -> None:
    """As in a notebook, where the training of the cell before is still there."""
    kept = torch.optim.SGD(nn.Linear(2, 1).parameters(), lr=0.01)
    test_without_an_optimizer_each_backward_pass_ends_a_step(steps_of, loader, model)
    del kept


def test_an_optimizer_made_later_takes_over(steps_of: StepsOf, loader: DataLoader, model: nn.Module) -> None:
    """Backward passes count only as long as the process has no optimizer."""

    def train() -> None:
        for batch in loader:
            model(batch).sum().backward()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        for batch in loader:
            model(batch).sum().backward()
            model(batch).sum().backward()
            optimizer.step()

    assert steps_of(train) == ([0, 1, 2, 3, 4, 5], 6)


def test_a_step_that_the_scaler_leaves_out_is_no_step(steps_of: StepsOf, loader: DataLoader, model: nn.Module) -> None:
    """With an infinite gradient a gradient scaler does not call the optimizer."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    scaler = torch.amp.GradScaler("cpu")

    def train() -> None:
        for i, batch in enumerate(loader):
            optimizer.zero_grad()
            scaler.scale(model(batch).sum() * (float("inf") if i == 0 else 1.0)).backward()
            scaler.step(optimizer)
            scaler.update()

    assert steps_of(train) == ([0, 0, 1], 2)


def test_what_comes_after_the_last_step_is_no_step(
    steps_of: StepsOf, loader: DataLoader, model: nn.Module, tmp_path: Path
) -> None:
    """An evaluation at the end is recorded and compared, and does not count as a step."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

    def train() -> None:
        for batch in loader:
            model(batch).sum().backward()
            optimizer.step()
        with torch.no_grad():
            for batch in loader:
                model(batch)

    assert steps_of(train) == ([0, 1, 2, 3, 3, 3], 3)
    comparison = reproof.compare(tmp_path / "run", tmp_path / "run")
    assert (comparison.verdict, comparison.num_steps, comparison.num_events) == ("identical", 3, 12)


def test_steps_without_batches_are_counted(steps_of: StepsOf, loader: DataLoader, model: nn.Module) -> None:
    """Several steps on one batch: the next batch has the number of its own step."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

    def train() -> None:
        for batch in loader:
            for _ in range(3):
                model(batch).sum().backward()
                optimizer.step()

    assert steps_of(train)[0] == [0, 3, 6]

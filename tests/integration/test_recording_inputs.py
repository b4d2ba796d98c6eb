"""Without a `DataLoader` the inputs of the model are the batches of a training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

import reproof

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.conftest import Events

X = torch.linspace(-1, 1, 12).reshape(4, 3)


class Block(nn.Module):
    """A part of a model."""

    def __init__(self) -> None:
        """Have parameters of its own."""
        super().__init__()
        self.linear = nn.Linear(3, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Transform."""
        return self.linear(x).relu()


class Model(nn.Module):
    """A model of two parts that takes keyword arguments."""

    def __init__(self) -> None:
        """Make the parts."""
        super().__init__()
        self.first, self.second = Block(), Block()

    def forward(self, x: torch.Tensor, *, scale: torch.Tensor | float = 1.0, mask: Any = None) -> torch.Tensor:
        """Transform twice."""
        y = self.second(self.first(x)) * scale
        return y if mask is None else y[mask]


class Centres(nn.Module):
    """A loss without parameters that calls another module."""

    def __init__(self) -> None:
        """Use a loss of PyTorch."""
        super().__init__()
        self.loss = nn.MSELoss()

    def forward(self, output: torch.Tensor) -> torch.Tensor:
        """Measure the distance from zero."""
        return self.loss(output, torch.zeros_like(output))


@pytest.fixture
def record(tmp_path: Path, read_events: Callable[[Path], Events]) -> Callable[..., Events]:
    """Return what records a training and tells its events."""

    def run(train: Callable[[], object], **options: Any) -> Events:
        with reproof.record(tmp_path / "run", level="batches", force=True, **options):
            train()
        return read_events(tmp_path / "run")

    return run


def test_the_inputs_of_the_model_are_the_batch(record: Callable[..., Events]) -> None:
    """Positional and keyword arguments, of the model as a whole: not of its parts, and not of the loss."""
    model = Model()
    mask = torch.tensor([True, False, True, True])
    events = record(lambda: Centres()(model(X, scale=0.5, mask=mask)).backward())
    assert events.names == ["Model input[0]", "Model input['scale']", "Model input['mask']"]
    assert {event.detail for event in events} == {"content"}
    assert events.named("Model input['mask']")[0].exact == (True, False, True, True)


def test_several_models_have_names_of_their_own(record: Callable[..., Events]) -> None:
    """Models of one class are numbered in the order of their first use."""
    first, second, block = Model(), Model(), Block()

    def train() -> None:
        for _ in range(2):
            block(second(X) + first(X))

    assert record(train).names == ["Model input[0]", "Model#2 input[0]", "Block input[0]"] * 2


def test_an_evaluation_is_no_batch(record: Callable[..., Events]) -> None:
    """Calls without gradients are no training."""
    model = Model()

    def evaluate() -> None:
        with torch.no_grad():
            model(X)
        with torch.inference_mode():
            model(X)

    assert record(evaluate) == []


def test_once_a_loader_is_used_it_tells_the_batches(record: Callable[..., Events]) -> None:
    """The inputs of the model would be the same evidence again."""
    model = Model()

    def train() -> None:
        model(X)
        for batch in DataLoader(X, batch_size=2):
            model(batch)

    assert [event.name for event in record(train).contents()] == ["Model input[0]", "loader0(4)", "loader0(4)"]


def test_num_batches_limits_the_calls(record: Callable[..., Events]) -> None:
    """With a limit of N the first N calls are recorded."""
    model = Model()
    assert len(record(lambda: [model(X) for _ in range(5)], num_batches=2)) == 2


def test_a_model_that_fails_is_followed_by_others(record: Callable[..., Events]) -> None:
    """The exception of a model reaches the training, and later calls are recorded as before."""
    model = Model()

    def train() -> None:
        for x in (X, X[:, :2], X):
            try:
                model(x)
            except RuntimeError as error:
                assert "shapes cannot be multiplied" in str(error)  # noqa: PT017  # the training's own handling

    assert record(train).names == ["Model input[0]"] * 3


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_a_compiled_model_gives_the_same_bits_and_its_inputs(backend: str, record: Callable[..., Events]) -> None:
    """`torch.compile` traces through the hooks without a graph break, before, during and after a recording."""
    torch.manual_seed(0)
    model = Model()
    plain = [torch.compile(model, backend=backend, fullgraph=True)(X[:n]) for n in (2, 3, 4)]
    torch._dynamo.reset()
    compiled = torch.compile(model, backend=backend, fullgraph=True)
    outputs: list[torch.Tensor] = []
    events = record(lambda: outputs.extend(compiled(X[:n]) for n in (2, 3, 4)))
    outputs.append(compiled(X))
    assert all(torch.equal(a, b) for a, b in zip([*plain, plain[-1]], outputs, strict=True))
    assert events.names == ["Model input[0]"] * 3
    torch._dynamo.reset()


def test_tracing_a_model_is_no_training(record: Callable[..., Events]) -> None:
    """What `torch.fx` and `torch.export` call the model with are stand-ins, and no batch."""
    model = nn.Sequential(Block(), Block())
    outputs: list[torch.Tensor] = []

    def trace() -> None:
        outputs.append(torch.fx.symbolic_trace(model)(X))

    events = record(trace)
    assert all(event.skipped is None for event in events)
    assert len(events) == 1
    assert torch.equal(outputs[0], model(X))


def test_functional_calls_of_a_model_are_seen(record: Callable[..., Events]) -> None:
    """`torch.func.functional_call` is a call of the model with other parameters."""
    model = Model()
    parameters = {name: torch.zeros_like(value) for name, value in model.named_parameters()}
    assert record(lambda: torch.func.functional_call(model, parameters, (X,))).names == ["Model input[0]"]


def test_modules_made_in_each_step_do_not_pile_up_names(record: Callable[..., Events]) -> None:
    """A training that makes its model anew in each step, or copies it, has a bounded number of names."""

    def train() -> None:
        for _ in range(50):
            Model()(X)

    assert len(set(record(train).names)) <= 32

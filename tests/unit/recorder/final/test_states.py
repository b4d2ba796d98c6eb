"""The last state of everything that was trained or held, whenever it dies."""

from __future__ import annotations

import copy
import gc
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn

import reproof
from reproof.recorder import Recording
from reproof.recorder.options import RecordingOptions
from reproof.trace import open_trace

if TYPE_CHECKING:
    from collections.abc import Callable

    Left = Callable[[Callable[[], Any]], dict[str, str]]


@pytest.fixture
def left(tmp_path: Path) -> Left:
    """Return what records a function and returns the events of stage final with their digests."""
    numbers = iter(range(100))

    def run(train: Callable[[], Any], **options: Any) -> dict[str, str]:
        folder = tmp_path / str(next(numbers))
        torch.manual_seed(0)
        with Recording(folder, RecordingOptions(**options)):
            kept = train()
        del kept
        rank = open_trace(folder).ranks[0]
        assert open_trace(folder).header.problems == ()
        frames = [rank.frame(index) for index in range(len(rank))]
        return {
            event.name: frame.digest(position).hex()
            for frame in frames
            for position, event in enumerate(frame.layout.events)
            if event.stage == "final"
        }

    return run


def descend(model: nn.Module, num_steps: int = 2) -> torch.optim.Optimizer:
    """Train a few steps."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(num_steps):
        optimizer.zero_grad()
        model(torch.ones(3, 2)).sum().backward()
        optimizer.step()
    return optimizer


def make() -> nn.Module:
    """Return a small model."""
    return nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))


def trains(change: Callable[[nn.Module], Any] = lambda _: None) -> Callable[[], Any]:
    """Return a training whose model is changed after the last step, and then forgotten or not."""

    def train() -> Any:
        model = make()
        descend(model)
        return change(model)

    return train


CHANGES: dict[str, Callable[[nn.Module, float], Any]] = {
    "a weight is clipped": lambda model, by: model[0].weight.data.add_(by),
    "a weight is replaced": lambda model, by: setattr(model[0].weight, "data", model[0].weight.data + by),
    "an averaged copy": lambda model, by: [p.data.mul_(1 + by) for p in copy.deepcopy(model).parameters()],
    "an attribute": lambda model, by: setattr(model[0], "stat", torch.full((2,), by)),
    "in a cycle": lambda model, by: (setattr(model, "me", [model]), model[1].bias.data.add_(by)),
    "alive at the end": lambda model, by: (model[0].weight.data.add_(by), model),
    "a parameter that outlives its module": lambda model, by: [model[0].weight.data.add_(by), model[0].weight],
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_after_the_last_step_is_seen(left: Left, name: str) -> None:
    """And without one, two runs leave the same."""
    change = CHANGES[name]
    first, same, other = (left(trains(lambda model, by=by: change(model, by))) for by in (0.0, 0.0, 0.5))
    assert first == same
    assert first.keys() == other.keys()
    assert first != other


def test_whether_something_died_before_the_end_does_not_matter(left: Left) -> None:
    """Garbage collection decides that, and not in the same way in every run."""

    def keeping() -> Any:
        model = make()
        return model, descend(model)

    def forgetting() -> None:
        model = make()
        descend(model)
        del model
        gc.collect()

    assert left(keeping) == left(forgetting)


def test_the_order_of_deaths_does_not_matter(left: Left) -> None:
    """What the training never called is a multiset of digests."""

    def run(order: list[int]) -> Callable[[], None]:
        def train() -> None:
            descend(make())
            copies: list[Any] = [nn.Linear(2, 1) for _ in range(3)]
            for number in order:
                copies[number] = None

        return train

    assert left(run([0, 1, 2])) == left(run([2, 0, 1]))


def test_the_names_of_the_training_are_kept(left: Left) -> None:
    """What it calls and optimizes has them, the rest its class, attribute and shape."""

    def train() -> None:
        descend(make())
        nn.Linear(5, 1)

    names = left(train)
    assert {"Sequential.0.weight", "SGD.group0[0]", "SGD group0 hyper-parameters"} <= names.keys()
    assert {"other Linear.weight [1, 5]", "other Linear.bias [1]"} <= names.keys()


def test_tensors_without_a_module_are_read(left: Left) -> None:
    """Trained by hand: their last change comes after the last step."""

    def run(by: float) -> Callable[[], Any]:
        def train() -> Any:
            weight = torch.ones(2, requires_grad=True)
            (weight * 2).sum().backward()
            with torch.no_grad():
                weight += by
            return weight

        return train

    assert left(run(0.0))["parameter0"] != left(run(1.0))["parameter0"]


def test_what_was_there_before_and_is_not_used_is_not_the_runs(left: Left) -> None:
    """Two recordings of one process do not see each other's models."""
    earlier = nn.Linear(7, 1)
    assert not any("[1, 7]" in name for name in left(trains()))
    del earlier


def test_a_thousand_models_and_then_powers_of_two_are_read(left: Left, monkeypatch: pytest.MonkeyPatch) -> None:
    """By counts, so that two runs leave out the same."""
    monkeypatch.setattr("reproof.recorder.final.states.MAX_READ", 4)
    found: list[int] = []

    class Numbered(nn.Module):
        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = torch.tensor(number)

    def train() -> None:
        for number in range(1, 20):
            Numbered(number)

    original = reproof.recorder.final.states.digest_leaf

    def digest(leaf: Any) -> Any:
        found.append(int(leaf))
        return original(leaf)

    monkeypatch.setattr("reproof.recorder.final.states.digest_leaf", digest)
    left(train)
    assert found == [1, 2, 3, 4, 8, 16]


def test_a_training_that_is_ended_has_no_final_state(tmp_path: Path) -> None:
    """An experiment of a few steps ends in the middle."""
    with pytest.raises(SystemExit), Recording(tmp_path / "a", RecordingOptions(num_steps=1)):
        trains()()
    rank = open_trace(tmp_path / "a").ranks[0]
    assert not any(event.stage == "final" for event in rank.events)


def count_gloo_threads() -> int:
    """Return how many threads of this process carry out collective operations."""
    names = [path.read_text(encoding="utf-8") for path in Path("/proc/self/task").glob("*/comm")]
    return sum("gloo_run" in name for name in names)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_a_process_group_is_there_until_its_model_is_gone(left: Left) -> None:
    """Else PyTorch may wait for a thread of the group that waits for the interpreter's lock."""
    counts = []

    def train() -> None:
        store = torch.distributed.HashStore()
        torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
        model = nn.parallel.DistributedDataParallel(make())
        descend(model)
        torch.distributed.destroy_process_group()
        counts.append(count_gloo_threads())
        del model
        counts.append(count_gloo_threads())

    left(train)
    assert counts[0] == counts[1] > 0

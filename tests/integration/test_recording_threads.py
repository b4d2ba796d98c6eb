"""Threads beside the training: what they record does not depend on how far they are ahead of it, or behind."""

from __future__ import annotations

import copy
import queue
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import reproof

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.integration.conftest import Events

NUM_STEPS = 6


class Training:
    """Some steps on the batches of a loader."""

    def __init__(self) -> None:
        """Make model, optimizer and loader."""
        torch.manual_seed(0)
        self.model = nn.Linear(3, 1)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)
        rows = torch.randn(4 * NUM_STEPS, 3)
        order = torch.Generator().manual_seed(1)
        self.loader = DataLoader(TensorDataset(rows), batch_size=4, shuffle=True, generator=order)

    def step(self, rows: torch.Tensor) -> None:
        """Make one step."""
        self.optimizer.zero_grad()
        self.model(rows).square().mean().backward()
        self.optimizer.step()

    @torch.no_grad()
    def evaluate(self, model: nn.Module, *, pause: float = 0.0, scale: float = 1.0) -> None:
        """Call a model a few times, at some pace."""
        for i in range(3):
            model(torch.full((2, 3), scale * (i + 1.0)))
            time.sleep(pause)


def run_ahead(loader: Any, room: int) -> Iterator[Any]:
    """Yield what a thread takes from a loader, which has so many batches ready."""
    ready: queue.Queue[Any] = queue.Queue(room)

    def fill() -> None:
        for batch in loader:
            ready.put(batch)
        ready.put(None)

    threading.Thread(target=fill, daemon=True).start()
    while (batch := ready.get()) is not None:
        yield batch


def verdict_of(tmp_path: Path, record: Callable[[Path, int], None]) -> str:
    """Return the verdict on two recordings, which differ in who is ahead by how much."""
    for number, folder in enumerate((tmp_path / "a", tmp_path / "b")):
        record(folder, number)
    return str(reproof.compare(tmp_path / "a", tmp_path / "b").verdict)


def test_a_thread_may_run_ahead_with_a_loader(tmp_path: Path, read_events: Callable[[Path], Events]) -> None:
    """A batch belongs to the step in which the model is given it, with its indices."""

    def record(folder: Path, number: int) -> None:
        training = Training()
        with reproof.record(folder):
            for (rows,) in run_ahead(training.loader, room=1 + 9 * number):
                time.sleep(0.005)
                training.step(rows)

    assert verdict_of(tmp_path, record) == "identical"
    found = read_events(tmp_path / "b")
    assert found.named("loader0(24)[0]").steps == list(range(NUM_STEPS))
    assert [event.step for event in found if event.detail == "order"] == list(range(NUM_STEPS))
    assert found.named("Linear input[0]").steps == list(range(NUM_STEPS))


def test_a_snapshot_may_be_evaluated_beside(tmp_path: Path, read_events: Callable[[Path], Events]) -> None:
    """It has no place before it is waited for, and none of its parameters are taken for the training's."""

    def record(folder: Path, number: int) -> None:
        training = Training()
        with reproof.record(folder):
            snapshot = copy.deepcopy(training.model)
            beside = threading.Thread(target=training.evaluate, args=(snapshot,), kwargs={"pause": 0.02 * number})
            for step, (rows,) in enumerate(training.loader):
                training.step(rows)
                if step == 1:
                    beside.start()
                if step == 3:  # after some steps
                    beside.join()

    assert verdict_of(tmp_path, record) == "identical"
    found = read_events(tmp_path / "b")
    assert found.named("Linear in a thread output").steps == [4, 4, 4]
    assert not [name for name in found.names if "#2" in name]


def test_a_pool_may_evaluate_in_any_order(tmp_path: Path, read_events: Callable[[Path], Events]) -> None:
    """Which of its threads was faster tells nothing."""

    def record(folder: Path, number: int) -> None:
        training = Training()
        with reproof.record(folder), ThreadPoolExecutor(2) as pool:
            for scale in (1.0, 10.0):
                pause = 0.01 * (number if scale > 1 else 1 - number)
                pool.submit(training.evaluate, copy.deepcopy(training.model), pause=pause, scale=scale)
            for (rows,) in training.loader:
                training.step(rows)

    assert verdict_of(tmp_path, record) == "identical"
    assert read_events(tmp_path / "b").named("Linear in a thread output").steps == 6 * [NUM_STEPS]


def test_another_evaluation_beside_is_seen(tmp_path: Path) -> None:
    """What is evaluated is compared, wherever it has its place."""

    def record(folder: Path, number: int) -> None:
        training = Training()
        with reproof.record(folder):
            beside = threading.Thread(target=training.evaluate, args=(training.model,), kwargs={"scale": 1.0 + number})
            beside.start()
            beside.join()

    assert verdict_of(tmp_path, record) == "diverged"


@pytest.mark.parametrize("is_evaluated_first", [False, True])
def test_a_thread_that_trains_records_as_it_goes(
    tmp_path: Path, read_events: Callable[[Path], Events], *, is_evaluated_first: bool
) -> None:
    """What it did before it began to train comes first."""

    def train(training: Training) -> None:
        if is_evaluated_first:
            training.evaluate(training.model)
        for (rows,) in training.loader:
            training.step(rows)
            training.evaluate(training.model)

    training = Training()
    with reproof.record(tmp_path / "a"):
        thread = threading.Thread(target=train, args=(training,))
        thread.start()
        thread.join()
    found = read_events(tmp_path / "a")
    assert found.named("loader0(24)[0]").steps == list(range(NUM_STEPS))
    assert found.named("Linear in a thread output").steps == ([0, 0, 0] if is_evaluated_first else [])
    evaluated = [event for event in found.named("Linear output") if event.step > 0]
    assert len(evaluated) == 3 * NUM_STEPS + NUM_STEPS - 1


def test_what_nobody_waits_for_is_no_evidence(tmp_path: Path, read_events: Callable[[Path], Events]) -> None:
    """A thread that goes on is cut off wherever the recording ends."""
    training, is_over = Training(), threading.Event()

    def play() -> None:
        while not is_over.is_set():
            training.evaluate(training.model)

    thread = threading.Thread(target=play)
    with reproof.record(tmp_path / "a"):
        thread.start()
        for (rows,) in training.loader:
            training.step(rows)
    is_over.set()
    thread.join()
    assert not read_events(tmp_path / "a").named("Linear in a thread output")

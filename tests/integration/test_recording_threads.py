"""Threads beside the training: what they record does not depend on how far they are ahead of it, or behind."""

from __future__ import annotations

import copy
import queue
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import reproof
from reproof.digest import digest_tensor

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


class Student(nn.Module):
    """A model with state that no optimizer steps."""

    def __init__(self, width: int) -> None:
        """Make it."""
        super().__init__()
        self.net = nn.Sequential(nn.Linear(3, width), nn.BatchNorm1d(width), nn.Linear(width, 1))

    def forward(self, rows: torch.Tensor) -> Any:
        """Compute."""
        return self.net(rows)


def fit(student: nn.Module, seed: int, pause: float, *, scale: float = 1.0) -> None:
    """Train a model, with a loader and an optimizer of its own, at some pace."""
    order = torch.Generator().manual_seed(seed)
    rows = torch.linspace(-1, 1, 3 * 16).reshape(16, 3)
    loader = DataLoader(TensorDataset(rows), batch_size=4, shuffle=True, generator=order)
    optimizer = torch.optim.Adam(student.parameters(), lr=0.1)
    for (batch,) in loader:
        time.sleep(pause)
        optimizer.zero_grad()
        (scale * student(batch)).square().mean().backward()
        optimizer.step()


def train_in_threads(students: list[nn.Module], pauses: list[float], scale: float) -> None:
    """Train each in a thread, and wait for them in turn."""
    threads = [
        threading.Thread(target=fit, args=(student, seed, pause), kwargs={"scale": scale})
        for seed, (student, pause) in enumerate(zip(students, pauses, strict=True))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def train_in_pool(students: list[nn.Module], pauses: list[float], scale: float) -> None:
    """Train them in a pool of fewer threads; what is ready first is looked at first."""
    with ThreadPoolExecutor(2) as pool:
        tasks = [
            pool.submit(fit, student, seed, pause, scale=scale)
            for seed, (student, pause) in enumerate(zip(students, pauses, strict=True))
        ]
        for task in as_completed(tasks):
            task.result()


def train_in_turn(students: list[nn.Module], _: list[float], scale: float) -> None:
    """Train them one after the other, each in a pool that does not know of the others."""
    with ThreadPoolExecutor(2) as pool:
        for seed, student in enumerate(students):
            pool.submit(fit, student, seed, 0.0, scale=scale).result()


WAYS = [train_in_threads, train_in_pool, train_in_turn]


@pytest.mark.parametrize("train", WAYS)
@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_several_may_be_trained_at_the_same_time(
    tmp_path: Path, read_events: Callable[[Path], Events], train: Callable[..., None], scale: float
) -> None:
    """Who is faster tells nothing, in which order they were made neither; what is computed tells all."""

    def record(folder: Path, number: int) -> None:
        torch.manual_seed(0)
        pauses = [0.0, 0.004, 0.002][:: 1 - 2 * number]
        with reproof.record(folder):
            students: list[nn.Module] = [Student(width) for width in (2, 3, 4)]
            train(students, pauses, scale if number else 1.0)
            with torch.no_grad():
                for student in students:
                    student.eval()(torch.ones(2, 3))

    assert verdict_of(tmp_path, record) == ("identical" if scale == 1 else "diverged")
    found = read_events(tmp_path / "b")
    assert found.named("loader0(16)[0]").steps == list(range(12))
    assert found.named("Student.net.1.running_mean").steps[0] == 0
    assert not [name for name in found.names if "#" in name and not name.startswith("Student#")]
    evaluated = [event for event in found if event.name.startswith("Student") and " output" in event.name]
    assert [event.step for event in evaluated[-3:]] == [12, 12, 12]
    first = reproof.compare(tmp_path / "a", tmp_path / "b").first
    assert first is None or (first.step, first.stage) == (0, "loss")


def test_tasks_that_follow_each_other_keep_their_order(tmp_path: Path, read_events: Callable[[Path], Events]) -> None:
    """One that was handed in after another had been waited for comes after it."""
    models: list[nn.Module] = [nn.Sequential(nn.Linear(3, 1)) for _ in range(4)]
    first = [model[0].weight.detach().clone() for model in models if isinstance(model, nn.Sequential)]
    with reproof.record(tmp_path / "a"):
        train_in_turn(models, [], 1.0)
    weights = read_events(tmp_path / "a").named("Sequential.0.weight")
    initial = [event.digest for event in weights[:36:9]]  # of each task, and then a gradient and an update in each step
    assert initial == [digest_tensor(weight) for weight in first]


def test_a_training_that_goes_on_is_named(tmp_path: Path) -> None:
    """What nobody has waited for is not compared, and no such runs are called identical."""

    def record(folder: Path, number: int) -> None:
        begins, is_over = threading.Event(), threading.Event()
        player = nn.Linear(3, 1)

        def play() -> None:
            while not is_over.is_set():
                fit(player, 0, 0.0, scale=1.0 + number)  # what it holds at the end is another in each run
                begins.set()

        thread = threading.Thread(target=play, name="player")
        with reproof.record(folder):
            Training().step(torch.ones(4, 3))
            thread.start()
            begins.wait()
        is_over.set()
        thread.join()

    assert verdict_of(tmp_path, record) == "inconclusive"
    told = [one.why for one in reproof.compare(tmp_path / "a", tmp_path / "b").skipped]
    assert len(told) == 2
    assert all(
        why.startswith("thread player trained when the recording ended, and nobody had waited for it") for why in told
    )

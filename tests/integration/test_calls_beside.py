"""Evaluations that only one run makes are beside the training; those that both make are compared."""

from __future__ import annotations

import copy
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn

import reproof

if TYPE_CHECKING:
    from collections.abc import Callable

    from reproof.schema import Comparison

NUM_STEPS = 6


class Training:
    """Some steps, with a hook after each."""

    def __init__(self) -> None:
        """Make model, optimizer and rows."""
        torch.manual_seed(0)
        self.model = nn.Linear(3, 1)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)
        self.rows = torch.randn(NUM_STEPS, 4, 3)

    def run(self, after: Callable[[int], Any]) -> None:
        """Make the steps."""
        for step in range(NUM_STEPS):
            self.optimizer.zero_grad()
            self.model(self.rows[step]).square().mean().backward()
            self.optimizer.step()
            after(step)

    @torch.no_grad()
    def evaluate(self, model: nn.Module, rows: torch.Tensor | None = None) -> None:
        """Call a model once, from one line."""
        model(self.rows[0] if rows is None else rows)


def compare(tmp_path: Path, train: Callable[[Training, int], None]) -> Comparison:
    """Return the comparison of two recordings of a training, which is told which of them it is."""
    for number, folder in enumerate((tmp_path / "a", tmp_path / "b")):
        training = Training()
        with reproof.record(folder):
            train(training, number)
    return reproof.compare(tmp_path / "a", tmp_path / "b")


def test_previews_and_timed_loops_are_told_with_their_line(tmp_path: Path) -> None:
    """At whichever step, and however often after the last."""

    def train(training: Training, number: int) -> None:
        training.run(lambda step: training.evaluate(training.model) if step == 1 + 2 * number else None)
        for _ in range(3 + 400 * number):  # more than one frame holds
            training.evaluate(training.model)

    found = compare(tmp_path, train)
    assert found.verdict == "identical"
    told = [(one.what, one.baseline, one.candidate, (one.file or "").rpartition("/")[2]) for one in found.beside]
    assert told == [("calls of Linear without gradients", 1, 401, "test_calls_beside.py")]
    line = Path(__file__).read_text(encoding="utf-8").splitlines()[(found.beside[0].line or 0) - 1]
    assert "model(self.rows[0]" in line


def test_another_input_after_the_training_is_a_divergence(tmp_path: Path) -> None:
    """An evaluation of both runs that differs."""

    def train(training: Training, number: int) -> None:
        training.run(lambda _: None)
        training.evaluate(training.model, training.rows[number])

    assert compare(tmp_path, train).verdict == "diverged"


@pytest.mark.parametrize(
    ("fault", "expected"),
    [("none", "identical"), ("rows", "diverged"), ("state", "diverged")],
)
def test_a_thread_may_pass_over_snapshots(tmp_path: Path, fault: str, expected: str) -> None:
    """Not so one that evaluates other rows of a state, or a state of its own making."""

    def train(training: Training, number: int) -> None:
        snapshots: list[nn.Module] = []
        offered = {0, 1, 3} if number else {0, 2, 4}
        training.run(lambda step: snapshots.append(copy.deepcopy(training.model)) if step in offered else None)
        if fault == "state" and number:
            with torch.no_grad():
                snapshots[-1].weight.mul_(0.5)
        rows = training.rows[number] if fault == "rows" else training.rows[0]

        def work() -> None:
            for snapshot in snapshots:
                training.evaluate(snapshot, rows)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()

    found = compare(tmp_path, train)
    assert found.verdict == expected

"""`reproof show` on real trainings: complete, failed, killed, and one that recorded nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from reproof.trace import open_trace

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.conftest import Command

    Record = Callable[..., Path]
    Show = Callable[..., list[str]]

TRAINING = """
    import os, sys
    import torch
    import reproof
    torch.manual_seed(0)
    model = torch.nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=float(sys.argv[2]))
    for step in range(60):
        inputs = torch.randn(8, 4)
        loss = (model(inputs) - inputs.sum(1, keepdim=True)).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 20 == 19:
            reproof.log(error=float(loss))
        if step == 30 and sys.argv[1] == "killed":
            os.kill(os.getpid(), 9)
        if step == 30 and sys.argv[1] == "failed":
            raise ValueError("no more data")
"""


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Record:
    """Return what records a training once and gives its trace."""
    folder = tmp_path_factory.mktemp("show")
    (folder / "train.py").write_text(dedent(TRAINING), encoding="utf-8")

    def run(name: str, rate: float = 0.05) -> Path:
        if not (folder / name).exists():
            command = [sys.executable, "-m", "reproof", "run", "-o", name, "train.py", name, str(rate)]
            subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=120, check=False)
        return folder / name

    return run


@pytest.fixture(scope="session")
def golden() -> Path:
    """Return a small trace of two processes, with names of many kinds of characters."""
    return Path(__file__).resolve().parents[1] / "golden" / "trace-v1"


@pytest.fixture
def show(reproof: Command) -> Show:
    """Return what shows a sound trace: the lines, without the space around them."""

    def run(*arguments: str | Path, **variables: str) -> list[str]:
        done = reproof("show", *arguments, **variables)
        assert (done.code, done.err) == (0, "")
        return [line.strip() for line in done.out.splitlines()]

    return run


class TestTrainings:
    """What is shown of each is what happened in it."""

    def test_a_complete_run(self, record: Record, show: Show) -> None:
        """Counts, conditions, the loss and the logged metric."""
        lines = show(record("complete"), "--verify")
        assert "ended        complete: it came to its own end (exit code 0)" in lines
        assert ["loss", "60", "60"] in [line.split() for line in lines]
        assert any(line.startswith("torch        ") and "default device: cpu" in line for line in lines)
        assert "loss, 60 values" in " ".join(lines)
        assert any(line.startswith("error  ") for line in lines)
        assert lines[-1].startswith("verified: ")

    def test_one_step_of_it(self, record: Record, show: Show) -> None:
        """The same digests as `reproof export` writes, and the states of the generators."""
        result = json.loads("\n".join(show(record("complete"), "--step", "7", "--json", "-")))
        (step,) = result["step"]
        assert [event["stage"] for event in step["events"]][:3] == ["batch", "forward", "loss"]
        assert {"python", "torch"} <= step["rng"].keys()
        trace = open_trace(record("complete")).ranks[0]
        (index,) = trace.find_step(7)
        frame = trace.frame(index)
        digests = [frame.digest(position).hex() for position in range(len(frame.layout.events))]
        assert [event["digest"] for event in step["events"]] == digests

    def test_a_failed_run(self, record: Record, show: Show) -> None:
        """The exception is named, and the steps until then are there."""
        lines = show(record("failed"))
        assert "ended        failed: train.py raised ValueError: no more data (exit code 1)" in lines
        assert any(line.startswith("recorded     31 steps, ") for line in lines)

    def test_a_killed_run(self, record: Record, show: Show) -> None:
        """Up to its last whole step, all of it sound; PyTorch's settings are unknown, its version is not."""
        lines = show(record("killed"), "--verify")
        assert any(line.startswith("ended        the run was killed") for line in lines)
        assert any(line.startswith("recorded     31 steps, ") for line in lines)
        assert any(line.startswith("torch        installed: ") for line in lines)
        assert lines[-1].startswith("verified: ")

    def test_a_run_whose_loss_became_nan(self, record: Record, show: Show) -> None:
        """It is plotted as far as it was a number, on a logarithmic scale, and the rest is marked."""
        lines = show(record("diverging", 1e6), LC_ALL="C.UTF-8")
        assert "loss, 60 values, logarithmic" in lines
        assert any(line.startswith("inf/nan │") and line.count("x") > 20 for line in lines)

    def test_a_run_that_recorded_nothing(self, tmp_path: Path, reproof: Command, show: Show) -> None:
        """A script without PyTorch."""
        (tmp_path / "train.py").write_text("print('no training')", encoding="utf-8")
        reproof("run", "-o", "empty", "train.py")
        assert "recorded     nothing: no loader, model or optimizer was used" in show("empty")


class TestTheProcess:
    """What the command costs, and where it can be used."""

    @pytest.mark.thorough  # a busy machine may take longer
    @pytest.mark.skipif(os.name != "posix", reason="times of child processes are those of POSIX")
    def test_it_starts_quickly(self, golden: Path, show: Show) -> None:
        """A small trace takes less than a quarter of a second of processor time; the clock would count others too."""
        durations = []
        for _ in range(5):
            before = os.times()
            show(golden)
            after = os.times()
            durations.append(
                after.children_user + after.children_system - before.children_user - before.children_system
            )
        assert 0 < min(durations) < 0.25

    def test_it_imports_neither_torch_nor_numpy_nor_rich(self, golden: Path, python: Command) -> None:
        """Nor anything else that is slow to start."""
        code = (
            "import sys; from reproof.cli import main\n"
            "try: main(['show', sys.argv[1], '--verify', '--step', '1'])\n"
            "finally: print(sorted({'numpy', 'rich', 'torch'} & set(sys.modules)), file=sys.stderr)"
        )
        done = python("-c", code, golden)
        assert (done.code, done.err) == (0, "[]\n")

    @pytest.mark.parametrize(
        "variables",
        [
            {"LC_ALL": "C"},
            {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
            {"PYTHONIOENCODING": "latin-1"},
        ],
        ids=["the locale C", "an ASCII terminal", "a Latin-1 terminal"],
    )
    def test_it_can_be_read_everywhere(self, golden: Path, reproof: Command, variables: dict[str, str]) -> None:
        """Names of any characters do not fail to print, and a pipe gets no colours."""
        for options in ((), ("--step", "1")):
            done = reproof("show", golden, *options, **variables)
            assert (done.code, done.err) == (0, "")
            assert "\x1b" not in done.out
        assert "loader0(1437)" in done.out

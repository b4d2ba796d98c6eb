"""No difference between two runs is called identical, wherever it was planted, and equal runs are."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from reproof.comparison import compare

if TYPE_CHECKING:
    from pathlib import Path

    from reproof.schema import Comparison

MODELS = {
    "linear": "nn.Sequential(nn.Linear(3, 1))",
    "deep": "nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 1))",
    "recurrent": "nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Dropout(0.2), nn.Linear(4, 1))",
}
OPTIMIZERS = {"sgd": "torch.optim.SGD(model.parameters(), lr=0.1)", "adam": "torch.optim.Adam(model.parameters())"}
PLACES = {"before": ("before", 0), "in": ("in", 1), "between": ("between", 1), "after": ("after", 0)}
PLANTS = {
    "weight": "model[0].weight.data += V",
    "copy": "kept.append(copy.deepcopy(model)); kept[-1][0].bias.data += V",
    "forgotten copy": "copied = copy.deepcopy(model); copied[0].bias.data += V; del copied",
    "saved list": "weights = [p.detach() + V for p in model.parameters()]; torch.save(weights, 'w.pt')",
    "attribute": "model[0].stat = torch.full((2,), V)",
    "child": "child(V)",
    "file": "Path('result.txt').write_text(f'accuracy {V}')",
    "print": "print('accuracy', V)",
    "error stream": "print('accuracy', V, file=sys.stderr)",
}
SCRIPT = """
import copy, os, sys
from pathlib import Path
import torch
from torch import nn
V = float(os.environ["PLANTED"])
torch.manual_seed(7)
torch.set_num_threads(1)
kept = []
def child(value):
    number = os.fork()
    if number == 0:
        torch.save(torch.full((3,), value), "child.pt")
        os._exit(0)
    os.waitpid(number, 0)
def main():
    data = torch.randn(8, 3)
    model = {model}
    optimizer = {optimizer}
    def plant(place, step):
        if (place, step) == {place}:
            {plant}
    plant("before", 0)
    for step in range(3):
        optimizer.zero_grad()
        loss = model(data).pow(2).mean()
        plant("in", step)
        loss.backward()
        optimizer.step()
        plant("between", step)
    plant("after", 0)
main()
"""
RUNNER = """
import atexit, contextlib, io, json, os, sys
import torch
from reproof.cli.main import main
for number, (folder, value) in enumerate(json.loads(sys.argv[1])):
    child = os.fork()
    if child == 0:
        os.chdir(folder)
        os.environ["PLANTED"] = value
        sys.argv = ["reproof", "run", "--quiet", "--force", "-o", f"../{value}-{number % 3}", "train.py"]
        with contextlib.suppress(SystemExit):
            main()
        atexit._run_exitfuncs()
        os._exit(0)
    os.waitpid(child, 0)
"""
CASES = list(itertools.product(MODELS, OPTIMIZERS, PLACES, PLANTS))
"""216 trainings: each model, optimizer, place and kind of plant."""


def record(folder: Path, cases: list[tuple[str, str, str, str]]) -> None:
    """Record three runs of each case, two of them without the difference, all in forks of one process."""
    jobs = []
    for number, (model, optimizer, place, plant) in enumerate(cases):
        values = {"model": MODELS[model], "optimizer": OPTIMIZERS[optimizer], "place": PLACES[place]}
        for name, value in (("0", "0.0"), ("1", "0.0"), ("2", "0.5")):
            work = folder / str(number) / f"work{name}"
            work.mkdir(parents=True)
            (work / "train.py").write_text(SCRIPT.format(**values, plant=PLANTS[plant]))
            jobs.append((str(work), value))
    command = [sys.executable, "-c", dedent(RUNNER), json.dumps(jobs)]
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    subprocess.run(command, env=environment, cwd=folder, check=True, capture_output=True, timeout=1200)


def compare_runs(folder: Path, candidate: str) -> Comparison:
    """Compare the first run of a case with another."""
    return compare(folder / "0.0-0", folder / candidate)


def check(folder: Path, cases: list[tuple[str, str, str, str]]) -> None:
    """Hold that equal runs of these cases are identical and the planted one is not."""
    record(folder, cases)
    wrong = []
    for number, case in enumerate(cases):
        same, other = (compare_runs(folder / str(number), name) for name in ("0.0-1", "0.5-2"))
        if same.verdict != "identical":
            wrong.append((case, "equal runs", same.verdict, same.skipped, same.structure, same.output, same.first))
        if other.verdict == "identical":
            wrong.append((case, "planted", other.verdict))
    assert not wrong, wrong[:3]


@pytest.mark.slow(seconds=34)
def test_some_planted_differences_are_seen(tmp_path: Path) -> None:
    """Each kind and each place, model and optimizer."""
    some = CASES[::25]
    assert [len(set(names)) for names in zip(*some, strict=True)] == [3, 2, 4, 9]
    check(tmp_path, some)


@pytest.mark.thorough
@pytest.mark.slow(seconds=200)
@pytest.mark.timeout(1500)
def test_all_planted_differences_are_seen(tmp_path: Path) -> None:
    """In the model, a copy, a list, an attribute, a child, a file, a print; before, in, between and after the steps."""
    check(tmp_path, CASES)

"""State that an earlier trial leaves to the next: named when a bundle is reproduced, and when the search ends."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("optuna")
pytestmark = pytest.mark.slow

TRAINING = """
import torch
from torch import nn

{state}
X = torch.arange(48.0).reshape(16, 3).sin()
Y = X.sum(1, keepdim=True)


def train(config, run):
    run.use_data(x=X, y=Y)
    model = run.start({model})
    optimizer = torch.optim.SGD(model.parameters(), lr=config["lr"])
    for epoch in range(2):
        for _ in range(3):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model({inputs}), Y)
            loss.backward()
            optimizer.step()
        run.report(epoch, loss.item())
    return {{"y": {{"mse": loss.item()}}}}
"""
SEARCH = """
import optuna
from training import train
from reproof.integrations.optuna import BestTrialBundle

optuna.logging.set_verbosity(optuna.logging.ERROR)
bundle = BestTrialBundle("best", train{verify})
study = optuna.create_study(study_name="s")
for lr in (0.01, 0.02, 0.05):
    study.enqueue_trial({{"lr": lr}})
objective = lambda t: bundle.candidate(t, {{"lr": t.suggest_float("lr", 0.0, 1.0), "training": {{"seed": 3}}}}).run()
study.optimize(objective, n_trials=3, callbacks=[bundle])
"""
GENERATOR = {
    "state": "RNG = torch.Generator().manual_seed(0)",
    "model": "nn.Linear(3, 1)",
    "inputs": "X + 0.1 * torch.randn(X.shape, generator=RNG)",
}
MODEL = {"state": "MODEL = nn.Linear(3, 1)", "model": "MODEL", "inputs": "X"}


def search(project: Path, parts: dict[str, str], environment: dict[str, str], verify: str = "") -> str:
    """Run a search whose trials have state in common, and return what it wrote on standard error."""
    (project / "training.py").write_text(TRAINING.format(**parts))
    (project / "search.py").write_text(SEARCH.format(verify=verify))
    command = [sys.executable, "search.py"]
    done = subprocess.run(
        command, cwd=project, env=environment, check=True, capture_output=True, text=True, timeout=600
    )
    return done.stderr


@pytest.mark.parametrize(
    ("parts", "name"), [pytest.param(GENERATOR, "RNG", marks=pytest.mark.thorough), (MODEL, "MODEL")]
)
def test_what_carries_state_is_named_first(
    parts: dict[str, str], name: str, tmp_path: Path, environment: dict[str, str]
) -> None:
    """A generator, and a model whose initial weights nothing seeds: the object, its line, and the proof."""
    search(tmp_path, parts, environment)
    command = [sys.executable, "-m", "reproof", "reproduce", "best", "--json", "result.json"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    assert (tmp_path / "result.json").is_file(), done.stderr
    result = json.loads((tmp_path / "result.json").read_text())
    assert done.returncode != 0
    assert "was not made from its configuration alone" in result["reasons"][0]
    assert f"`{name}` of training.py:5" in result["reasons"][0]
    assert "Confirmed: " in result["reasons"][0]
    assert result["diagnosis"]["carried_state"] == [f"{name} of training.py:5"]


def test_a_search_warns_of_its_winner(tmp_path: Path, environment: dict[str, str]) -> None:
    """With `verify="best"` the process that made the search says so when it ends."""
    told = search(tmp_path, GENERATOR, environment, ', verify="best"')
    assert "UserWarning: the best trial in" in told
    assert "`RNG` of training.py:5" in told

"""A study that was made without bundles gives one: trained again, compared with what was stored, and kept."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reproof.bundle import open_bundle

if TYPE_CHECKING:
    from collections.abc import Callable

pytest.importorskip("optuna")
pytest.importorskip("sklearn")
pytestmark = pytest.mark.slow

SEARCHING = Path(__file__).resolve().parents[1] / "searching"

OLD = """
import optuna, sys
from reproof.bundle.training import TrainingRequest, TrainingRun
from reproof.determinism import deterministic
from pathlib import Path
from training import train


def suggest(trial):
    lr = trial.suggest_float("lr", 1e-4, 3e-2, log=True)
    return {"split": 0.8, "training": {"seed": 11, "epochs": 2, "lr": lr}}


def objective(trial):
    run = TrainingRun(TrainingRequest(seed=11, project=Path()), lambda epoch, value: trial.report(value, epoch))
    with deterministic(11, num_threads=1):
        return run.finish(train(suggest(trial), run)).value


if __name__ == "__main__":
    study = optuna.create_study(study_name="old", storage="sqlite:///old.db")
    study.enqueue_trial({"lr": 0.003})
    study.optimize(objective, n_trials=1)
"""
PORT = """
from old import suggest
from training import train as run_training


def train(config, run):
    return run_training(config, run)
"""
FIXED = """
import optuna
from old import suggest
from training import train
from reproof.integrations.optuna import BestTrialBundle

bundle = BestTrialBundle("fixed", train)
trial = optuna.trial.FixedTrial({"lr": 0.003})
for _ in range(2):
    print(bundle.candidate(trial, suggest(trial)).run().hex())
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Path:
    """Return a project with an old study of one trial, for all tests of this file."""
    folder = tmp_path_factory.mktemp("old")
    shutil.copy(SEARCHING / "training.py", folder)
    rng = random.Random(5)
    rows = [[rng.gauss(0, 1) for _ in range(8)] for _ in range(80)]
    (folder / "points.csv").write_text("\n".join(",".join(f"{x:.6f}" for x in row) for row in rows) + "\n")
    for name, text in (("old.py", OLD), ("port.py", PORT), ("fixed.py", FIXED)):
        (folder / name).write_text(text)
    subprocess.run(
        [sys.executable, "-W", "ignore", "old.py"], cwd=folder, env=environment, check=True, capture_output=True
    )
    return folder


@pytest.fixture
def make(project: Path, tmp_path: Path, environment: dict[str, str]) -> Callable[..., tuple[int, dict[str, Any], Path]]:
    """Return what makes a bundle and returns its exit code, its JSON and the bundle."""

    def run(*options: str) -> tuple[int, dict[str, Any], Path]:
        command = [sys.executable, "-m", "reproof", "bundle", "from-study", "--json", str(tmp_path / "result.json")]
        words = [*command, "-o", str(tmp_path / "made"), *options, "port.py:train"]
        done = subprocess.run(words, cwd=project, env=environment, capture_output=True, text=True, check=False)
        assert (tmp_path / "result.json").is_file(), done.stderr
        return done.returncode, json.loads((tmp_path / "result.json").read_text()), tmp_path / "made"

    return run


def test_an_old_trial_is_found_again_and_kept(make: Callable[..., tuple[int, dict[str, Any], Path]]) -> None:
    """Value and reports agree to the bit; the bundle has all that a search leaves."""
    code, result, folder = make("--storage", "sqlite:///old.db", "--study", "old")
    assert (code, result["verdict"], result["tier"]) == (0, "identical", "bits")
    bundle = open_bundle(folder)
    assert (bundle.trial.study, bundle.trial.number, bundle.trial.num_trials) == ("old", 0, 1)
    assert bundle.trial.value.hex() == bundle.trial.details["stored"]["values"]["value"]
    assert bundle.manifest.entry == "port.py:train"
    assert bundle.has_trace
    assert {"port.py", "training.py"} <= set(bundle.code["files"])


@pytest.mark.thorough
def test_another_value_is_kept_and_told(make: Callable[..., tuple[int, dict[str, Any], Path]], tmp_path: Path) -> None:
    """Parameters of MLflow with a value that the training does not reach: the bundle is there all the same."""
    run = {"data": {"params": {"lr": "0.003"}, "metrics": {"loss": 0.001}}}
    (tmp_path / "run.json").write_text(json.dumps(run))
    code, result, folder = make("--params", str(tmp_path / "run.json"), "--value", "loss", "--no-explain")
    assert (code, result["verdict"]) == (2, "inconclusive")
    assert "0.001 was stored" in result["reasons"][0]
    assert open_bundle(folder).trial.params == {"lr": 0.003}


def test_a_fixed_trial_is_kept_as_it_is(project: Path, environment: dict[str, str]) -> None:
    """Without a study; a second one takes the place of the first."""
    command = [sys.executable, "-W", "ignore", "fixed.py"]
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    bundle = open_bundle(project / "fixed")
    assert set(done.stdout.split()) == {bundle.trial.value.hex()}
    assert (bundle.trial.study, bundle.trial.number, bundle.trial.num_trials) == (None, None, None)

"""A search in two processes, the replicates of its best trial, and what a reproduction makes of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("optuna", reason="the extra `search` is not installed")
pytest.importorskip("torch", reason="the extra `torch` is not installed")
pytest.importorskip("statsmodels", reason="the extra `search` is not installed")

import optuna

from reproof.integrations.trial_queue import open_storage

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Command

SCRIPT = """
import torch

from reproof.integrations.search import Search


def train(config, run):
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(64, 4, generator=generator)
    targets = inputs @ torch.randn(4, 2, generator=generator) + 0.1 * torch.randn(64, 2, generator=generator)
    run.use_data(inputs=inputs, targets=targets)
    model = run.start(torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2)))
    optimizer = torch.optim.SGD(model.parameters(), lr=config["training"]["learning_rate"])
    for epoch in range(2):
        for rows in torch.randperm(64).split(8):
            optimizer.zero_grad()
            torch.nn.functional.mse_loss(model(inputs[rows]), targets[rows]).backward()
            optimizer.step()
        with torch.no_grad():
            errors = (model(inputs) - targets).square().mean(0)
        run.report(epoch, float(errors.mean()))
    return {f"y{i}": {"mse": errors[i]} for i in range(2)}


def suggest(trial):
    return {"training": {"seed": 7, "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.3)}}


study = Search(train=train, suggest=suggest, options={"margins": {"y0": {"mse": 0.5}}})
"""


@pytest.mark.slow
def test_a_search_leaves_a_bundle_whose_replicates_judge_a_reproduction(reproof: Command, tmp_path: Path) -> None:
    """Two workers make four trials; two workers make five runs, and not again; fresh seeds are then equivalent."""
    (tmp_path / "tiny.py").write_text(SCRIPT)
    found = reproof("search", "tiny.py:study", "--trials", "4", "--workers", "2")
    assert found.code == 0, found.err
    assert found.out.startswith("best of ")
    assert found.out.rstrip().endswith("reproof reproduce optuna_best")

    made = reproof("replicate", "optuna_best", "--replicates", "3", "--perturbations", "2", "--workers", "2")
    assert made.code == 0, made.err
    assert made.out == "optuna_best: 3 replicates, 2 perturbations, 2 margins\n"
    assert reproof("bundle", "verify", "optuna_best").code == 0
    reference = json.loads((tmp_path / "optuna_best" / "reference.json").read_text())
    assert len({run["seed"] for run in reference["replicates"]} - {7}) == 3
    assert len({run["metrics"]["y0"]["mse"] for run in reference["replicates"]}) == 3
    assert len({run["weight"] for run in reference["perturbations"]}) == 2
    assert all(len(run["losses"]) == 16 for run in reference["perturbations"])
    assert reference["margins"]["y0"]["mse"] == 0.5
    assert reference["margins"]["y1"]["mse"] > 0

    before = (tmp_path / "optuna_best" / "bundle.json").read_bytes()
    again = reproof("replicate", "optuna_best", "--replicates", "3", "--perturbations", "2")
    assert (again.code, again.out, again.err) == (0, made.out, "")
    assert (tmp_path / "optuna_best" / "bundle.json").read_bytes() == before

    elsewhere = reproof("replicate", "optuna_best", "--replicates", "4", "--project", "optuna_best")
    assert (elsewhere.code, elsewhere.err.count("\n")) == (2, 1)
    assert "has no tiny.py" in elsewhere.err
    (tmp_path / "tiny.py").write_text(
        SCRIPT.replace("8, 2)))", "8, 2)))  # as before").replace("split(8)", "split(16)")
    )
    changed = reproof("replicate", "optuna_best", "--replicates", "4", "--perturbations", "2")
    assert changed.code == 2
    assert "code of the project differs from the bundle's (tiny.py: train)" in changed.own_lines[-1]
    assert (tmp_path / "optuna_best" / "bundle.json").read_bytes() == before


@pytest.mark.slow
def test_a_trial_whose_worker_is_killed_is_run_again_once(
    reproof: Command, tmp_path: Path, environment: dict[str, str]
) -> None:
    """Another worker runs it with the same parameters, and the study has as many trials as were asked for."""
    slow = (
        'import os, pathlib, time\n    pathlib.Path("begun").touch()\n    time.sleep(int(os.environ.get("SLEEP", "0")))'
    )
    (tmp_path / "tiny.py").write_text(SCRIPT.replace("    generator =", f"    {slow}\n    generator =", 1))
    command = ["search", "tiny.py:study", "--trials", "3", "--lease", "2", "--storage", "queue.journal"]
    victim = subprocess.Popen(
        [sys.executable, "-m", "reproof", *command], cwd=tmp_path, env={**environment, "SLEEP": "60"}
    )
    try:
        deadline = time.monotonic() + 60
        while not (tmp_path / "begun").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
    finally:
        victim.kill()
        victim.wait()
    found = reproof(*command)
    assert found.code == 0, found.err
    assert found.out.startswith("best of 3 trials: ")
    study = optuna.load_study(storage=open_storage(tmp_path / "queue.journal"), study_name="search")
    first, *others = study.trials
    assert [trial.state.name for trial in study.trials] == ["FAIL", "COMPLETE", "COMPLETE", "COMPLETE"]
    assert [trial.params for trial in others].count(first.params) == 1


def test_a_search_that_is_not_there_is_one_line(reproof: Command, tmp_path: Path) -> None:
    """A file, a variable or a form of name that is wrong is named with what to do."""
    for name, problem in (
        ("nothing.py:study", "there is no file nothing.py"),
        ("nothing", "nothing names no search"),
        ("nothing.py:a-b", "nothing.py:a-b names no search"),
    ):
        found = reproof("search", name)
        assert found.code == 2
        assert found.err.startswith(f"reproof: error: {problem}: ")
        assert found.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("tiny.py:nothing", "--workers", "2"), "nothing of tiny.py is no Search"),
        (("tiny.py:study", "-o", "mine"), "mine is no bundle"),
        (("tiny.py:study", "-o", "notes.txt"), "notes.txt is no bundle"),
        (("tiny.py:study", "--storage", "notes.txt"), "notes.txt is no journal of Optuna"),
        (("tiny.py:study", "--project", "mine"), "the training train is no function at the top of a file in"),
    ],
    ids=lambda value: "" if isinstance(value, str) else " ".join(value),
)
def test_a_search_that_cannot_begin_leaves_nothing(
    reproof: Command, tmp_path: Path, arguments: tuple[str, ...], problem: str
) -> None:
    """One line for all workers together, no journal, and the user's files as they were."""
    (tmp_path / "tiny.py").write_text(SCRIPT)
    (tmp_path / "notes.txt").write_text("mine\n")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine\n")
    found = reproof("search", *arguments)
    assert (found.code, found.out, found.err.count("\n")) == (2, "", 1)
    assert found.err.startswith("reproof: error: ")
    assert problem in found.err
    assert {path.name for path in tmp_path.iterdir()} - {"__pycache__"} == {"tiny.py", "notes.txt", "mine"}
    assert (tmp_path / "notes.txt").read_text() == "mine\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    "reaches_all",
    [True, pytest.param(False, marks=pytest.mark.thorough)],
    ids=["Ctrl-C in a terminal", "interrupt of the command alone"],
)
def test_an_interrupted_search_ends_with_one_line(
    reproof: Command, tmp_path: Path, environment: dict[str, str], *, reaches_all: bool
) -> None:
    """No process is left, nor what its trial had prepared; started again, it runs that trial at once."""
    wait = 'import os, pathlib, time\n    pathlib.Path("begun").touch()\n    time.sleep(float(os.environ["PAUSE"]))'
    (tmp_path / "tiny.py").write_text(SCRIPT.replace("    generator =", f"    {wait}\n    generator =", 1))
    command = ["search", "tiny.py:study", "--trials", "1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "reproof", *command],
        cwd=tmp_path,
        env={**environment, "PAUSE": "100"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 60
        while not (tmp_path / "begun").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        (os.killpg if reaches_all else os.kill)(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out, err.strip()) == (130, b"", b"reproof: interrupted")
        with pytest.raises(ProcessLookupError):
            os.killpg(process.pid, 0)
    finally:
        process.kill()
        process.wait()
    left = {path.name for path in tmp_path.iterdir()} - {"__pycache__", "tiny.py", "begun"}
    assert left == {"optuna_best.search.journal"}
    again = reproof(*command, PAUSE="0")
    assert again.code == 0, again.err
    study = optuna.load_study(storage=open_storage(tmp_path / "optuna_best.search.journal"), study_name="search")
    assert [trial.state.name for trial in study.trials] == ["FAIL", "COMPLETE"]
    assert study.trials[0].params == study.trials[1].params


def test_replicates_of_no_bundle_are_refused_with_one_line(reproof: Command, tmp_path: Path) -> None:
    """Nothing is queued for a folder that is no bundle."""
    found = reproof("replicate", "nothing")
    assert found.code == 2
    assert found.err.startswith("reproof: error: ")
    assert found.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_jobs_of_a_cluster_make_the_replicates(reproof: Command, python: Command, tmp_path: Path) -> None:
    """Submitted jobs share the queue and write the reference; here they are processes of this machine."""
    pytest.importorskip("submitit", reason="the extra `slurm` is not installed")
    (tmp_path / "tiny.py").write_text(SCRIPT)
    assert reproof("search", "tiny.py:study", "--trials", "1").code == 0
    (tmp_path / "submit.py").write_text(
        "import sys, time\n"
        "from pathlib import Path\n"
        "from reproof.integrations.replicates import ReplicateRequest\n"
        "from reproof.integrations.slurm import submit_replicates\n"
        "request = ReplicateRequest(folder=Path('optuna_best'), num_replicates=2, num_perturbations=0)\n"
        "print(len(submit_replicates(request, 2, cluster='local', parameters={'timeout_min': 3})))\n"
        "while not Path('optuna_best/reference.json').exists():\n"
        "    time.sleep(0.2)\n"
        "time.sleep(3)\n"
    )
    done = python("submit.py")
    assert (done.code, done.out) == (0, "2\n"), done.err
    reference = json.loads((tmp_path / "optuna_best" / "reference.json").read_text())
    assert len(reference["replicates"]) == 2

"""A search by Optuna leaves its best trial as a bundle, whatever happens to the other trials."""

from __future__ import annotations

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


def write_points(path: Path, num_rows: int = 160) -> None:
    """Write a table of six features and two targets, always the same."""
    rng = random.Random(5)
    rows = []
    for _ in range(num_rows):
        x = [rng.gauss(0, 1) for _ in range(6)]
        y = [x[0] * x[1] + 0.5 * x[2] + rng.gauss(0, 0.1), 3 * x[3] - x[4] ** 2 + rng.gauss(0, 0.1)]
        rows.append(",".join(f"{value:.6f}" for value in (*x, *y)))
    path.write_text("\n".join(rows) + "\n")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a folder with a project of its own."""
    for path in SEARCHING.glob("*.py"):
        shutil.copy(path, tmp_path)
    write_points(tmp_path / "points.csv")
    return tmp_path


@pytest.fixture
def search(project: Path, environment: dict[str, str]) -> Callable[..., list[str]]:
    """Return what runs the search and returns the words that it prints."""

    def run(*arguments: str, code: int = 0, **variables: str) -> list[str]:
        command = [sys.executable, "-W", "ignore", "search.py", *arguments]
        surroundings = {**environment, **variables}
        done = subprocess.run(
            command, cwd=project, env=surroundings, capture_output=True, text=True, check=False, timeout=240
        )
        assert done.returncode == code, done.stderr
        return done.stdout.split()

    return run


def test_the_bundle_is_the_best_trial_among_pruned_and_failed_ones(
    project: Path, search: Callable[..., list[str]]
) -> None:
    """Number and value are those of Optuna's own best trial, to the bit; the others leave nothing behind."""
    number, value, *states = search("8", FAIL_AT="1")
    bundle = open_bundle(project / "optuna_best")
    assert (bundle.trial.number, bundle.trial.value.hex()) == (int(number), value)
    assert {"COMPLETE", "FAIL", "PRUNED"} == set(states)
    assert bundle.trial.num_trials <= states.count("COMPLETE")
    assert sorted(path.name for path in project.glob(".optuna*")) == [".optuna_best.lock"]


def test_a_bundle_holds_what_a_re_run_needs(project: Path, search: Callable[..., list[str]]) -> None:
    """Configuration, surroundings, code, data, scaler, weights of both epochs and the trace are in it."""
    search("2")
    bundle = open_bundle(project / "optuna_best")
    assert bundle.config["training"]["lr"] == bundle.trial.params["lr"]
    assert bundle.environment["torch"]["threads"]["intraop"] == 1
    assert "numpy" in bundle.environment["imported"]
    assert set(bundle.code["files"]) == {"search.py", "training.py"}
    assert set(bundle.data["files"]) == {"points.csv"}
    assert set(bundle.data["arrays"]) == {"features", "targets", "train", "validation"}
    assert bundle.scaler is not None
    assert bundle.scaler["class"] == "StandardScaler"
    assert set(bundle.manifest.weights) == {"best", "last"}
    assert bundle.manifest.entry == "training.py:train"
    assert bundle.has_trace
    assert set(bundle.trial.metrics) == {"force", "torque"}


def test_two_processes_on_one_storage_keep_the_best_of_both(project: Path, environment: dict[str, str]) -> None:
    """Each worker compares its trials with what lies in the folder: the best of the study stays."""
    command = [sys.executable, "-W", "ignore", "search.py", "3", "study.journal"]
    workers = [
        subprocess.Popen(command, cwd=project, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    for worker in workers:
        _, errors = worker.communicate(timeout=240)
        assert worker.returncode == 0, errors.decode()
    bundle = open_bundle(project / "optuna_best")
    best = load_study(project / "study.journal").best_trial
    assert (bundle.trial.number, bundle.trial.value) == (best.number, best.value)


def test_a_killed_search_leaves_the_bundle_and_goes_on(project: Path, search: Callable[..., list[str]]) -> None:
    """After a kill the bundle is whole; the same command goes on with the study and removes what was left."""
    search("3", "study.journal", KILL_AT="2", code=-9)
    first = open_bundle(project / "optuna_best")
    number, value, *_ = search("2", "study.journal")
    second = open_bundle(project / "optuna_best")
    assert second.trial.value <= first.trial.value
    assert (second.trial.number, second.trial.value.hex()) == (int(number), value)
    assert not list(project.glob(".optuna_best.candidates/*"))


def test_another_study_does_not_overwrite_a_bundle(project: Path, search: Callable[..., list[str]]) -> None:
    """A folder with the bundle of another study is refused by name, before anything is trained."""
    search("1")
    text = (project / "search.py").read_text()
    (project / "search.py").write_text(text.replace('study_name="small"', 'study_name="other"'))
    before = (project / "optuna_best/bundle.json").read_bytes()
    command_fails = search("1", code=1)
    assert command_fails == []
    assert (project / "optuna_best/bundle.json").read_bytes() == before


def test_two_trainings_in_threads_of_one_process_are_refused(project: Path, search: Callable[..., list[str]]) -> None:
    """Threads share the global random generators: `n_jobs=2` is an error and never a bundle that does not reproduce."""
    text = (project / "search.py").read_text()
    (project / "search.py").write_text(text.replace("catch=ValueError", "n_jobs=2"))
    search("4", code=1)


def load_study(journal: Path) -> Any:
    """Return the study of a journal file."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    return optuna.load_study(study_name="small", storage=JournalStorage(JournalFileBackend(str(journal))))

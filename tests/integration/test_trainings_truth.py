"""What `tests/trainings/cases.py` says of the trainings is true: shown by running them natively, without reproof."""

from __future__ import annotations

import random
import re
import runpy
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1] / "trainings"
TRAININGS: tuple[Any, ...] = runpy.run_path(str(ROOT / "cases.py"))["TRAININGS"]
REPRODUCIBLE = [training for training in TRAININGS if training.is_reproducible]
FAULTY = [training for training in TRAININGS if not training.is_reproducible]

MAX_PAIRS = 3
TIMEOUT_SECONDS = 120
FINAL = re.compile(r"^final ([0-9a-f]{64})$", re.MULTILINE)

KINDS = {
    "concurrency",
    "hash-order",
    "nondeterministic-op",
    "os-entropy",
    "process-identity",
    "state-on-disk",
    "uninitialized-memory",
    "unseeded-generator",
    "unseeded-rng",
    "wall-clock",
    "worker-seeding",
}
"""The kinds of causes of the design that show between two runs in unchanged surroundings."""


class Run(NamedTuple):
    """What a run printed.

    Attributes:
        final: SHA-256 of the final weights.
        out: All of standard output.
    """

    final: str
    out: str


def run_once(training: Any, folder: Path, environment: dict[str, str]) -> Run:
    """Run a training in this folder, in a fresh process with a hash seed of its own."""
    done = subprocess.run(
        [sys.executable, *training.command],
        cwd=folder,
        env={**environment, "PYTHONHASHSEED": str(random.randrange(1, 2**32))},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    finals = FINAL.findall(done.stdout)
    assert len(finals) == 1, done.stdout
    return Run(final=finals[0], out=done.stdout)


def run_pair(training: Any, folder: Path, environment: dict[str, str]) -> tuple[Run, Run]:
    """Run a training twice: at the same time in two copies, or one after the other in one copy if it writes files."""
    copies = [folder / "a"] if "writes-files" in training.tags else [folder / "a", folder / "b"]
    for copy in copies:
        shutil.copytree(training.folder, copy, ignore=shutil.ignore_patterns("__pycache__"))
    with ThreadPoolExecutor(max_workers=len(copies)) as pool:
        runs = [pool.submit(run_once, training, copies[i % len(copies)], environment) for i in range(2)]
        return runs[0].result(), runs[1].result()


def runs_differ(training: Any, runs: tuple[Run, Run]) -> bool:
    """Tell whether two runs differ where the fault must show: in what they print, or in their final weights."""
    if "metric-only" in training.tags:
        return runs[0].out != runs[1].out
    return runs[0].final != runs[1].final


@pytest.mark.slow
@pytest.mark.thorough
@pytest.mark.parametrize("training", REPRODUCIBLE, ids=lambda training: training.name)
def test_a_clean_training_ends_in_the_same_bits(training: Any, tmp_path: Path, environment: dict[str, str]) -> None:
    """Two fresh processes with different hash seeds end in the same weights."""
    first, second = run_pair(training, tmp_path, environment)
    assert first.final == second.final


@pytest.mark.slow
@pytest.mark.thorough
@pytest.mark.parametrize("training", FAULTY, ids=lambda training: training.name)
def test_a_faulty_training_does_not_reproduce(training: Any, tmp_path: Path, environment: dict[str, str]) -> None:
    """Of at most three pairs of fresh processes, one differs; a fault of evaluation leaves the weights alone."""
    for attempt in range(MAX_PAIRS):
        runs = run_pair(training, tmp_path / str(attempt), environment)
        if "metric-only" in training.tags:
            assert runs[0].final == runs[1].final
        if runs_differ(training, runs):
            return
    pytest.fail(f"{MAX_PAIRS} pairs of runs were the same: {training.name} is not faulty")


def test_the_table_names_every_folder() -> None:
    """Each folder under tests/trainings has one record, and each record a folder."""
    folders = [
        path.relative_to(ROOT) for group in ("clean", "suspicious", "faulty") for path in (ROOT / group).iterdir()
    ]
    assert sorted(folders) == sorted(training.folder.relative_to(ROOT) for training in TRAININGS)
    assert len({training.name for training in TRAININGS}) == len(TRAININGS)


def test_each_record_is_complete() -> None:
    """Faulty trainings, and only they, have causes, of known kinds, each on exactly one line of a file."""
    for training in TRAININGS:
        assert (training.group == "faulty") == bool(training.causes) == (not training.is_reproducible), training.name
        for cause in training.causes:
            assert cause.kind in KINDS, training.name
            assert cause.find_line(training.folder) > 0


def test_no_training_knows_of_reproof() -> None:
    """No file of a training names reproof: they are scripts as anyone has them."""
    scripts = [path for training in TRAININGS for path in training.folder.rglob("*.py")]
    assert [path for path in scripts if "reproof" in path.read_text(encoding="utf-8").lower()] == []

"""`reproof check` says of every training in `tests/trainings` what is true of it: identical, or where two runs part."""

from __future__ import annotations

import json
import re
import runpy
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.integration.conftest import Command

ROOT = Path(__file__).resolve().parents[1] / "trainings"
TRAININGS: tuple[Any, ...] = runpy.run_path(str(ROOT / "cases.py"))["TRAININGS"]
CLEAN, SUSPICIOUS, FAULTY = (
    [training for training in TRAININGS if training.group == group] for group in ("clean", "suspicious", "faulty")
)

MAX_CHECKS = 8
"""Threads that race may come in the same order twice, as by hand."""

FINAL = re.compile(r"^final ([0-9a-f]{64})$", re.MULTILINE)

pytestmark = pytest.mark.slow


class Checker:
    """Checks a training as its user would: in its folder, with the installed command."""

    def __init__(self, reproof: Command, folder: Path, cache: Path) -> None:
        """Use this folder, which is the current one of the command."""
        self._reproof = reproof
        self._folder = folder
        self._cache = cache

    def check(self, training: Any, *options: str, explains: bool = False) -> tuple[int, dict[str, Any]]:
        """Copy the training, check it, and return the exit code and the JSON.

        Without an experiment it is not known what a difference in output comes from.
        """
        shutil.copytree(training.folder, self._folder, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
        done = self._reproof(
            "check",
            *(() if explains else ("--no-explain",)),
            "--quiet",
            "--json",
            "-",
            *options,
            *training.command,
            XDG_CACHE_HOME=str(self._cache),
        )
        assert done.out, done.err
        assert done.err == ""
        return done.code, json.loads(done.out)


@pytest.fixture
def checker(reproof: Command, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Checker:
    """Return what checks trainings in the test's folder."""
    return Checker(reproof, tmp_path, tmp_path_factory.mktemp("cache"))


def read_finals(found: dict[str, Any]) -> list[str]:
    """Return what each run printed of its final weights: the training's own word, independent of what was recorded."""
    outputs = [Path(f"{run}.output.txt").read_text(encoding="utf-8") for run in found["runs"]]
    return [final for output in outputs for final in FINAL.findall(output)]


@pytest.mark.a_part(one_in=8)
@pytest.mark.parametrize("training", CLEAN, ids=lambda training: training.name)
def test_a_clean_training_is_identical(training: Any, checker: Checker) -> None:
    """Whole runs are equal to the bit, with nothing left out, and each kind of evidence was there to be compared."""
    expect_identical(training, checker)


@pytest.mark.parametrize("training", SUSPICIOUS, ids=lambda training: training.name)
def test_a_training_that_looks_suspicious_is_identical(training: Any, checker: Checker) -> None:
    """So are those of which all that differs never reaches the training."""
    expect_identical(training, checker)


def expect_identical(training: Any, checker: Checker) -> None:
    """Check a training that reproduces."""
    code, found = checker.check(training, explains=True)
    assert (code, found["verdict"]) == (0, "identical")
    assert (found["compared"]["skipped"], found["structure"], found["first_divergence"]) == ([], [], None)
    assert found["exit_codes"] == [0, 0]
    assert {"init", "loss", "gradient", "update"} <= found["compared"]["stages"].keys()
    finals = read_finals(found)
    assert len(finals) == 2
    assert finals[0] == finals[1]


@pytest.mark.thorough  # `make test` has one of each kind in tests/causes
@pytest.mark.parametrize("training", FAULTY, ids=lambda training: training.name)
def test_a_faulty_training_is_located(training: Any, checker: Checker) -> None:
    """The first divergence is in the stage, detail and step that the table gives."""
    truth = training.divergence
    # What a run leaves behind it leaves at its end.
    is_whole = truth.step is None or "writes-files" in training.tags
    steps = () if is_whole else ("--steps", str(truth.step + 1))
    races = not {"threads", "eight-threads"}.isdisjoint(training.tags)
    for _ in range(MAX_CHECKS if races else 1):
        code, found = checker.check(training, *steps)
        if found["verdict"] == "diverged":
            break
    if races and found["verdict"] == "identical":
        assert len(set(read_finals(found))) <= 1
        pytest.skip(f"by chance the runs agreed in {MAX_CHECKS} checks")
    assert (code, found["verdict"], found["compared"]["skipped"]) == (1, "diverged", [])
    first = found["first_divergence"]
    if truth.stage is None:
        assert "ends after" in first["explanation"]
        assert {first["baseline"], first["candidate"]} == {"recorded", "absent"}
        return
    assert first["stage"] in (truth.stage, *truth.or_stages)
    if first["stage"] == truth.stage:
        assert first["detail"] == truth.detail
    if truth.step is not None:
        assert first["step"] == truth.step

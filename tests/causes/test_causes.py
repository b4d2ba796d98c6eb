"""`reproof check` names the line that is to blame for every planted fault, and accuses no clean training."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.causes.conftest import Process

MAX_RUNS = 5
"""Baseline, candidate and experiments that a case of one cause may take."""

MORE_RUNS = {"unseen-source": 7}
"""The same of kinds that are looked for last."""

MAX_CHECKS = 6
"""Threads that race may come in the same order twice, as by hand."""

FINAL = re.compile(r"^final ([0-9a-f]{64})$", re.MULTILINE)

pytestmark = pytest.mark.slow(seconds=20)


def check(case: Any, folder: Path, python: Process) -> tuple[int, dict[str, Any]]:
    """Check a fresh copy of the case as its user would; return the exit code and the JSON."""
    copy, result = folder / "work", folder / "result.json"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(case.folder, copy, ignore=shutil.ignore_patterns("__pycache__"))
    vary = ["--vary", ",".join(case.vary)] if case.vary else []
    until = ["--until-identical"] if len(case.causes) > 1 else []
    arguments = ["-m", "reproof", "check", "--json", str(result), *vary, *until, "train.py"]
    done = python(copy, *arguments, XDG_CACHE_HOME=str(folder / "cache"))
    assert result.exists(), done.stdout + done.stderr
    return done.returncode, json.loads(result.read_text(encoding="utf-8"))


def check_until_diverged(case: Any, folder: Path, python: Process) -> tuple[int, dict[str, Any]]:
    """Check a case; one that races, again until it diverges."""
    code, found = check(case, folder, python)
    for _ in range(MAX_CHECKS - 1 if "race" in case.tags else 0):
        if found["verdict"] == "diverged":
            break
        code, found = check(case, folder, python)
    return code, found


def kind_of(case: Any) -> str:
    """Return the kind of the cause of a faulty case, or that there are several."""
    return case.causes[0].kinds[0] if len(case.causes) == 1 else "several"


def read_finals(found: dict[str, Any]) -> set[str]:
    """Return what the runs printed of their final weights: the script's own word, independent of what was recorded."""
    outputs = (Path(f"{run}.output.txt").read_text(encoding="utf-8") for run in found["runs"])
    return {final for output in outputs for final in FINAL.findall(output)}


def count_runs(found: dict[str, Any]) -> int:
    """Return how often the script was run, in whole or in part."""
    return len(found["runs"]) + len(found.get("experiments", ()))


@pytest.mark.one_of_each(by=kind_of)
def test_a_planted_fault_is_named(faulty_case: Any, tmp_path: Path, python: Process) -> None:
    """Verdict, place of the first divergence, and the first cause: kind, line, confirmed, with a fix, in few runs."""
    code, found = check_until_diverged(faulty_case, tmp_path, python)
    if "race" in faulty_case.tags and found["verdict"] == "identical":
        assert len(read_finals(found)) == 1
        pytest.skip(f"by chance the runs agreed in {MAX_CHECKS} checks")
    assert (code, found["verdict"]) == (1, "diverged")

    first = found["first_divergence"]
    if faulty_case.stage is not None:
        assert first["stage"] == faulty_case.stage
    if faulty_case.detail is not None:
        assert first["detail"] == faulty_case.detail
    if faulty_case.step is not None:
        assert first["step"] == faulty_case.step

    causes = [cause for cause in found["causes"] if cause["confirmed"]]
    assert all(cause["file"] and cause["line"] and len(cause["experiments"]) > 1 for cause in causes), causes
    assert causes, found["causes"]
    assert found["causes"][0]["confirmed"]
    named = [
        [true.is_named_by(cause["kind"], cause["file"], cause["text"]) for true in faulty_case.causes]
        for cause in causes
    ]
    assert named[0][0] if "ordered" in faulty_case.tags else any(named[0]), causes[0]
    assert all(any(row) for row in named), causes
    assert all(any(column) for column in zip(*named, strict=True)), causes
    assert all(cause["fix"] for cause in causes)
    if len(found["causes"]) == 1 and "race" not in faulty_case.tags:
        settled = first["stage"] == "output"  # one run tells first whether what differs is harmless
        assert count_runs(found) - settled <= MORE_RUNS.get(causes[0]["kind"], MAX_RUNS)


def test_a_clean_training_is_not_accused(clean_case: Any, tmp_path: Path, python: Process) -> None:
    """What only logs, sorts, seeds or fills is identical, and nothing is said against it."""
    code, found = check(clean_case, tmp_path, python)
    assert (code, found["verdict"], found["causes"]) == (0, "identical", [])
    assert (found["compared"]["skipped"], found["first_divergence"]) == ([], None)

"""Cases that were made elsewhere are judged right by their own score.

The variable REPROOF_CORPUS names a folder with `score.py` and `cases/`, REPROOF_FAILING one with cases on which it was
once wrong. The score is run as it stands, one case at a time: it knows what is true, and these tests know nothing of
it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CORPUS, FAILING = "REPROOF_CORPUS", "REPROOF_FAILING"

pytestmark = [pytest.mark.slow(seconds=40), pytest.mark.timeout(900)]


def find_cases(variable: str, folder: str = "") -> list[Path]:
    """Return the cases in the folder that a variable names, in their order; none without the variable."""
    named = os.environ.get(variable)
    return sorted(path.parent for path in (Path(named).resolve() / folder).glob("*/case.json")) if named else []


def name_of(case: Path) -> str:
    """Return the name of a case."""
    return case.name


class Score:
    """The score of the corpus, run on one case in a folder of the test."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        """Use this folder and these environment variables."""
        self._folder = folder
        self._environment = {**environment, "XDG_CACHE_HOME": str(folder / "cache")}

    def check(self, case: Path) -> None:
        """Fail unless the case is judged right in all that applies to it; skip it where a package is missing."""
        script = Path(os.environ.get(CORPUS, "nowhere")).resolve() / "score.py"
        if not script.is_file():
            pytest.skip(f"{CORPUS} names no folder with score.py")
        copy_writable(case, self._folder / "cases" / case.name)
        done = subprocess.run(
            [
                sys.executable,
                str(script),
                str(self._folder / "cases"),
                "--command",
                f"{sys.executable} -m reproof check",
            ],
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.stdout.startswith("--"):
            pytest.skip(done.stdout.splitlines()[0])
        assert done.returncode == 0, done.stdout + done.stderr


def copy_writable(source: Path, target: Path) -> None:
    """Copy a folder of which nobody may write into; the copy may be changed, as the score's copy of it must be."""
    shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for path in (target, *target.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | 0o200)


@pytest.fixture
def score(tmp_path: Path, environment: dict[str, str]) -> Score:
    """Return the score of the corpus."""
    return Score(tmp_path, environment)


@pytest.mark.a_part(one_in=3)
@pytest.mark.parametrize("case", find_cases(CORPUS, "cases"), ids=name_of)
def test_a_case_of_the_corpus_is_judged_right(case: Path, score: Score) -> None:
    """It is detected, located and explained, and no clean case is accused."""
    score.check(case)


@pytest.mark.a_part(one_in=3)
@pytest.mark.parametrize("case", find_cases(FAILING), ids=name_of)
def test_a_case_that_was_judged_wrong_once_is_judged_right(case: Path, score: Score) -> None:
    """It is detected, located and explained, and no clean case is accused."""
    score.check(case)

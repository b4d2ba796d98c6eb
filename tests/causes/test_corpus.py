"""A corpus of cases that were made elsewhere, named by the variable REPROOF_CORPUS, is judged right by its own score.

The corpus is a folder with `score.py` and `cases/`. Its score is run as it stands: it knows what is true, and this test
knows nothing of it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

VARIABLE = "REPROOF_CORPUS"


@pytest.mark.slow(seconds=250)
@pytest.mark.timeout(3600)
def test_the_corpus_is_scored_in_full(tmp_path: Path, environment: dict[str, str]) -> None:
    """Every case is detected, located and explained, and no clean case is accused."""
    named = os.environ.get(VARIABLE)
    if not named:
        pytest.skip(f"{VARIABLE} names no corpus (a folder with score.py and cases/)")
    corpus = Path(named).resolve()
    score, cases = corpus / "score.py", corpus / "cases"
    if not score.is_file() or not cases.is_dir():
        pytest.skip(f"{VARIABLE}={named}: no score.py and cases/ there")
    done = subprocess.run(
        [sys.executable, str(score), str(cases), "--command", f"{sys.executable} -m reproof check"],
        cwd=tmp_path,
        env={**environment, "XDG_CACHE_HOME": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    wrong = [line for line in done.stdout.splitlines() if not line.startswith("ok ")]
    assert done.returncode == 0, "\n".join([*wrong, done.stderr])

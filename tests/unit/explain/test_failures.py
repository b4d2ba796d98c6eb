"""Notes on experiments that failed where the runs of the user did not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reproof.explain.failures import ANY_REMEDY, choose_remedy, describe_failures
from reproof.explain.laboratory import Trial
from reproof.launch.processes import FinishedRun

CHANGES: Any = None
RUN = FinishedRun(trace=Path("x"), exit_code=1, seconds=1.0, changes=CHANGES, output=None)
TRIAL = Trial(number=1, purpose="everything replayed", run=RUN, first=None)
MISSING = "train.py raised FileNotFoundError: [Errno 2] No such file or directory: '../data/x.txt'"


def test_each_error_is_told_once_with_its_first_experiment() -> None:
    """Experiments that did not fail are not told of."""
    failed = replace(TRIAL, number=2, failure=MISSING)
    notes = describe_failures([TRIAL, failed, replace(failed, number=3), replace(failed, number=4, failure="y")])
    assert [note.partition(":")[0] for note in notes] == ["experiment 2 failed", "experiment 4 failed"]
    assert MISSING in notes[0]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MISSING, "from the folder above"),
        ("train.py raised PermissionError: [Errno 13] Permission denied: '../out'", "from the folder above"),
        ("train.py raised ModuleNotFoundError: No module named 'lib'", "holds the package"),
        ("train.py raised OSError: [Errno 28] No space left on device", "TMPDIR"),
    ],
)
def test_the_remedy_fits_the_error(error: str, words: str) -> None:
    """It follows from what happened."""
    assert words in choose_remedy(error)


def test_any_other_error_can_be_seen_outside_of_the_search() -> None:
    """By running isolated, as experiments do."""
    assert choose_remedy("train.py raised ValueError: 3") == ANY_REMEDY

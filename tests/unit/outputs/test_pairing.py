"""Files of two runs are paired by their names without what is the run's own."""

from __future__ import annotations

from typing import Final

import pytest

from reproof.outputs.pairing import is_ignored, natural_key, pair_files
from reproof.outputs.records import FileOutput
from reproof.outputs.surroundings import Surroundings

BEGAN: Final = 1_795_983_060  # 2026-11-29 20:11:00 UTC
KNOWN: Final = (
    Surroundings(began_at=BEGAN, ended_at=BEGAN + 60, process_ids=(4242,)),
    Surroundings(began_at=BEGAN + 1200, ended_at=BEGAN + 1260, process_ids=(5353,)),
)


def pair(baseline: list[str], candidate: list[str], ignored: tuple[str, ...] = ()) -> list[tuple[str | None, ...]]:
    """Return the names of the pairs."""
    sides = ([FileOutput(name=name, format="bytes") for name in names] for names in (baseline, candidate))
    return [tuple(file and file.name for file in found) for found in pair_files(*sides, KNOWN, ignored)]


def test_time_stamped_folders_are_paired() -> None:
    """Each file finds its own in the folder of the other run."""
    first, second = "run_20261129_201112", "run_20261129_203114"
    names = ("last.pt", "log.json")
    pairs = pair([f"{first}/{name}" for name in names], [f"{second}/{name}" for name in names])
    assert pairs == [(f"{first}/{name}", f"{second}/{name}") for name in names]


def test_names_with_process_numbers_are_paired() -> None:
    """A log named after the process."""
    assert pair(["a.4242.log"], ["a.5353.log"]) == [("a.4242.log", "a.5353.log")]


def test_several_of_one_masked_name_are_paired_in_order() -> None:
    """Three folders of three trainings in one run."""
    first = [f"{1_795_983_070 + n}/x" for n in range(3)]
    second = [f"{1_795_984_270 + n}/x" for n in range(2)]
    assert pair(first, second) == [*zip(first, second, strict=False), (first[2], None)]


def test_other_results_in_names_are_no_pair() -> None:
    """Names that state results stay apart."""
    assert pair(["best_0.91.pt"], ["best_0.93.pt"]) == [("best_0.91.pt", None), (None, "best_0.93.pt")]


@pytest.mark.parametrize(
    ("pattern", "name", "ignored"),
    [
        ("*.log", "out/a/x.log", True),
        ("wandb/*", "wandb/run-1/files/x", True),
        ("wandb/*", "out/wandb/x", False),
        ("out/*.csv", "out/x.csv", True),
        ("x", "xx", False),
    ],
)
def test_patterns_of_names_that_are_ignored(pattern: str, name: str, ignored: bool) -> None:  # noqa: FBT001  # a case
    """A pattern without a folder is one of the last part."""
    assert is_ignored(name, (pattern,)) is ignored


def test_ignored_files_are_in_no_pair() -> None:
    """They are left out of both runs."""
    assert pair(["a.log", "b.txt"], ["b.txt", "c.log"], ("*.log",)) == [("b.txt", "b.txt")]


def test_numbers_in_names_sort_by_their_value() -> None:
    """Step 9 comes before step 10."""
    assert sorted(["s10", "s9", "s1"], key=natural_key) == ["s1", "s9", "s10"]

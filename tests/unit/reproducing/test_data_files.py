"""Data files of a bundle are found by what they hold."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from reproof.errors import UsageError
from reproof.reproducing.data_files import find_by_digest, list_data_files

if TYPE_CHECKING:
    from pathlib import Path

CONTENT = b"1,2,3\n"


def make_bundle(name: str = "data/points.csv", *, in_project: bool = True) -> Any:
    """Return a bundle with one data file."""
    digest = hashlib.sha256(CONTENT).hexdigest()
    return SimpleNamespace(data={"files": {name: {"bytes": len(CONTENT), "sha256": digest, "in_project": in_project}}})


def test_a_file_is_found_under_any_name(tmp_path: Path) -> None:
    """Anywhere below the folder; one of the same size with other bytes is not it."""
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "points.csv").write_bytes(b"1,2,4\n")
    (tmp_path / "a/b/renamed.txt").write_bytes(CONTENT)
    assert find_by_digest(make_bundle(), tmp_path) == {"data/points.csv": tmp_path / "a/b/renamed.txt"}


def test_of_copies_the_one_at_its_place_is_taken(tmp_path: Path) -> None:
    """By how much of the path agrees."""
    for name in ("copy.csv", "data/points.csv", "points.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(CONTENT)
    assert find_by_digest(make_bundle(), tmp_path) == {"data/points.csv": tmp_path / "data/points.csv"}


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """By name."""
    with pytest.raises(UsageError, match="no folder"):
        find_by_digest(make_bundle(), tmp_path / "nothing")


def test_each_file_is_told(tmp_path: Path) -> None:
    """At its place with the same bytes or others, missing, outside of the project, or found elsewhere."""
    (tmp_path / "data").mkdir()
    states = [list_data_files(make_bundle(), tmp_path, {})[0].state]
    (tmp_path / "data/points.csv").write_bytes(b"other")
    states.append(list_data_files(make_bundle(), tmp_path, {})[0].state)
    (tmp_path / "data/points.csv").write_bytes(CONTENT)
    states.append(list_data_files(make_bundle(), tmp_path, {})[0].state)
    outside = make_bundle("points.csv", in_project=False)
    states.append(list_data_files(outside, tmp_path, {})[0].state)
    found = list_data_files(outside, tmp_path, {"points.csv": tmp_path / "data/points.csv"})[0]
    assert [*states, found.state] == ["missing", "different", "same", "outside", "same"]

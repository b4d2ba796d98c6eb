"""What the tables say of the cases is true, shown without reproof: a cured script reproduces; no case is left out."""

from __future__ import annotations

import random
import re
import runpy
import shutil
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.causes.conftest import Process

ROOT = Path(__file__).resolve().parent
TABLES = runpy.run_path(str(ROOT / "cases.py"))
CASES: tuple[Any, ...] = TABLES["CASES"]
CURES: dict[str, tuple[tuple[str, str, str], ...]] = runpy.run_path(str(ROOT / "cures.py"))["CURES"]

FINAL = re.compile(r"^final ([0-9a-f]{64})$", re.MULTILINE)

REVERSED_LISTINGS = """
import os

_listdir, _scandir = os.listdir, os.scandir


class Reversed(list):
    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def __next__(self):
        if not self:
            raise StopIteration
        return self.pop(0)

    def __iter__(self):
        return self

    def close(self):
        pass


os.listdir = lambda path=".": _listdir(path)[::-1]
os.scandir = lambda path=".": Reversed(list(_scandir(path))[::-1])
"""


def copy_case(case: Any, folder: Path, edits: tuple[tuple[str, str, str], ...] = ()) -> Path:
    """Copy a case and edit its files; a text that is replaced must stand there exactly once."""
    shutil.copytree(case.folder, folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file, old, new in edits:
        text = (folder / file).read_text(encoding="utf-8")
        assert text.count(old) == 1, (file, old)
        (folder / file).write_text(text.replace(old, new), encoding="utf-8")
    return folder


def surroundings(case: Any, folder: Path) -> dict[str, str]:
    """Return the variables that change what the case is varied in; the rest is done by the folder itself."""
    if "listing-order" in case.vary:
        site = folder.with_name("site")
        site.mkdir()
        (site / "sitecustomize.py").write_text(REVERSED_LISTINGS, encoding="utf-8")
        return {"PYTHONPATH": str(site)}
    known = {"threads": {"OMP_NUM_THREADS": "2"}, "time": {"TZ": "Asia/Tokyo"}, "cwd": {"TMPDIR": str(folder)}}
    return {name: value for way in case.vary for name, value in known.get(way, {}).items()}


def run(python: Process, folder: Path, variables: dict[str, str]) -> str:
    """Run a case in a fresh process with a hash seed of its own; return what it printed."""
    done = python(folder, "train.py", PYTHONHASHSEED=str(random.randrange(1, 2**32)), **variables)
    assert done.returncode == 0, done.stderr
    assert len(FINAL.findall(done.stdout)) == 1, done.stdout
    return done.stdout


@pytest.mark.slow
@pytest.mark.thorough
def test_a_cured_script_reproduces(curable_case: Any, tmp_path: Path, python: Process) -> None:
    """With the line to blame written otherwise, two runs end in the same weights, and in the same metrics."""
    case = curable_case
    first = copy_case(case, tmp_path / "first", CURES[case.name])
    second = first if "state-on-disk" in case.kinds else copy_case(case, tmp_path / "second", CURES[case.name])
    if "workers" in case.vary:
        script = second / "train.py"
        text = re.sub(r"num_workers=[\w.]+", "num_workers=1", script.read_text(encoding="utf-8"))
        script.write_text(text, encoding="utf-8")
    printed = [run(python, first, {}), run(python, second, surroundings(case, second))]
    finals = {FINAL.findall(text)[0] for text in printed}
    assert len(finals) == 1
    if "metric-only" in case.tags:
        assert len(set(printed)) == 1


def test_the_table_names_every_folder() -> None:
    """Each folder has one case, and each case a folder; all but one of the faulty ones have a cure."""
    folders = {path.parent.name for path in ROOT.glob("*/train.py")}
    assert dict.fromkeys(folders, 1) == Counter(case.name for case in CASES)
    faulty = {case.name for case in CASES if case.causes}
    # The instruction set is not the script's to choose.
    assert faulty - CURES.keys() == {"environment_isa"}
    assert CURES.keys() <= faulty


def test_every_kind_is_planted() -> None:
    """Each kind that can be planted in a script is the only one of a case, and no other kind is used."""
    planted = {cause.kinds[0] for case in CASES for cause in case.causes}
    assert planted == set(TABLES["KINDS"])
    assert frozenset().union(*(case.kinds for case in CASES)) == planted


def test_each_place_is_one_line() -> None:
    """The text of a place stands on exactly one line of its file, as reports show it: without its indentation."""
    for case in CASES:
        for cause in case.causes:
            assert cause.places, case.name
            for file, source in cause.places:
                lines = [line.strip() for line in (case.folder / file).read_text(encoding="utf-8").splitlines()]
                assert sum(source in line for line in lines) == 1, (case.name, file, source)


def test_each_cure_edits_a_known_text() -> None:
    """What a cure replaces stands in the script exactly once."""
    for case in CASES:
        for file, old, new in CURES.get(case.name, ()):
            text = (case.folder / file).read_text(encoding="utf-8")
            assert text.count(old) == 1, (case.name, old)
            assert new != old


def test_no_case_knows_of_reproof() -> None:
    """No file of a case names reproof: they are scripts as anyone has them."""
    scripts = [path for case in CASES for path in case.folder.rglob("*.py")]
    assert [path for path in scripts if "reproof" in path.read_text(encoding="utf-8").lower()] == []

"""The files that a run has created or changed are found, and no others."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from reproof.entropy.found import Found
from reproof.entropy.ledger import Written
from reproof.outputs import folder as looking
from reproof.outputs.folder import read_stamps
from reproof.recorder.outputs.changed_files import find_changes, list_missed, list_outside, list_untouched

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_new_changed_and_untouched_files_are_told_apart(tmp_path: Path) -> None:
    """A file that was written again with the same content counts as changed: it is read, and found equal."""
    for name in ("kept", "changed", "rewritten", "deleted"):
        (tmp_path / name).write_text(name)
    before = read_stamps(tmp_path)
    (tmp_path / "new/er").mkdir(parents=True)
    (tmp_path / "new/er/file").write_text("x")
    (tmp_path / "changed").write_text("longer than before")
    (tmp_path / "rewritten").write_text("rewritten")
    os.utime(tmp_path / "rewritten", ns=(1, 1))
    (tmp_path / "deleted").unlink()
    after = read_stamps(tmp_path)
    assert before is not None
    assert after is not None
    changes = find_changes(before, after)
    assert changes.changed == ("changed", "new/er/file", "rewritten")
    assert changes.untouched == ("kept",)


def test_what_was_found_and_left(tmp_path: Path) -> None:
    """Files by their names, with size and time; where all of a folder count, the latest first; folders too."""
    work, other = tmp_path / "work", tmp_path / "other"
    for folder in (work, work / "sub", other):
        folder.mkdir()
    (work / "data").symlink_to(other)
    for n, path in enumerate((work / "named", work / "ignored", work / "sub/listed", work / "sub/late", other / "x")):
        path.touch()
        os.utime(path, ns=(n, n))
    stamps = read_stamps(work)
    assert stamps is not None
    untouched = {**{str(work / name): stamp for name, stamp in stamps.items()}, f"{work}/changed": None}
    found = [f"{work}/{name}" for name in ("named", "changed", "sub/*", "data/x", "data", "")] + [f"{other}/x"]
    records = list_untouched(work, untouched, found, since=1.0)
    names = [record.name for record in records]
    assert set(names[:3]) == {"named", "data/x", f"{other}/x"}
    assert names[3:] == ["sub/late", "sub/listed", "data/", "./*"]
    assert list_untouched(work, {}, [f"{other}/x"], since=0.0) == []


def test_what_was_looked_for_in_vain(tmp_path: Path) -> None:
    """If it is there now: the run has made it since. So is what a folder did not hold when it was listed."""
    for name in ("made", "data/old", "data/new", "many/1"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    missing = dict.fromkeys(f"{tmp_path}/{name}" for name in ("made", "never", "many/*"))
    found = Found({}, missing, {f"{tmp_path}/data/": ["old"], f"{tmp_path}/gone/": []})
    files = list_missed(tmp_path, found, {f"{tmp_path}/data/new": "new.tmp"})
    assert {file.name: file.saved_as for file in files} == {"made": None, "data/new": "new.tmp", "many/1": None}


def test_of_a_folder_that_was_moved_elsewhere_all_files_count(tmp_path: Path) -> None:
    """A checkpoint may be a folder; what is gone by the end is none; and a link to it counts by itself."""
    (tmp_path / "last/sub").mkdir(parents=True)
    for name in ("last/a", "last/sub/b", "single"):
        (tmp_path / name).touch()
    (tmp_path / "link").symlink_to("last")
    names = ("last", "single", "gone", "link")
    written = [Written(f"{tmp_path}/{name}", f"../{name}", was_there=False) for name in names]
    found = {file.name: file.path for file in list_outside(written)}
    assert found == {f"../{name}": f"{tmp_path}/{name}" for name in ("last/a", "last/sub/b", "single", "link")}


def test_an_empty_folder_is_known_by_its_name(tmp_path: Path) -> None:
    """``class_12/`` may be all that a run says; once something is in it, that is looked at."""
    for name in ("kept", "filled", "__pycache__"):
        (tmp_path / name).mkdir()
    before = read_stamps(tmp_path)
    (tmp_path / "filled/file").touch()
    (tmp_path / "class_12").mkdir()
    after = read_stamps(tmp_path)
    assert before is not None
    assert after is not None
    assert find_changes(before, after) == (("class_12/", "filled/file"), ("kept/",))


def test_traces_caches_and_environments_are_no_output(tmp_path: Path) -> None:
    """Neither a trace in the folder nor what reproof writes beside it."""
    for name in (".git/a", "__pycache__/b", "env/pyvenv.cfg", "env/c", "runs/a/run.json", "runs/a/rank0.names"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "runs/a.output.txt").touch()
    for name in ("runs/mine.output.txt", "runs/mine"):
        (tmp_path / name).touch()
    assert set(read_stamps(tmp_path) or ()) == {"runs/mine.output.txt", "runs/mine"}


def test_a_file_changes_whose_time_is_set(tmp_path: Path) -> None:
    """To what it was: by who unpacks an archive, or wants no times in what is made."""
    stamps = []
    for text in ("0.5", "0.7"):
        (tmp_path / "a").write_text(text)
        os.utime(tmp_path / "a", (1, 1))
        stamps.append(read_stamps(tmp_path))
    assert stamps[0] is not None
    assert stamps[1] is not None
    assert find_changes(*stamps).changed == ("a",)


def test_a_file_that_is_only_named_or_allowed_anew_is_as_it_was(tmp_path: Path) -> None:
    """A link or another mode changes nothing of what is in it; also one that a first run alone makes."""
    for name in ("linked", "allowed", "written"):
        (tmp_path / name).write_text("0.5")
    before = read_stamps(tmp_path)
    (tmp_path / "other").hardlink_to(tmp_path / "linked")
    (tmp_path / "allowed").chmod(0o750)
    (tmp_path / "written").write_text("0.7")
    (tmp_path / "written").chmod(0o750)
    after = read_stamps(tmp_path)
    assert before is not None
    assert after is not None
    assert find_changes(before, after) == (("other", "written"), ("allowed", "linked"))


def test_folders_with_too_many_files_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All others are looked at, those higher up first; a second look sees no more, however many there are then."""
    monkeypatch.setattr(looking, "MAX_FILES", 3)
    for name in ("data/train/a", "data/train/b", "data/train/c", "out/last/w"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "log").touch()
    passed: dict[str, None] = {}
    before = read_stamps(tmp_path, passed)
    assert (set(before), set(passed)) == ({"log", "out/last/w"}, {"data/train"})
    (tmp_path / "data/train/c").unlink()
    (tmp_path / "data/train/b").unlink()
    (tmp_path / "result").touch()
    after = read_stamps(tmp_path, passed)
    assert find_changes(before, after).changed == ("result",)

"""What a run leaves in a folder, and copies of folders."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import pytest

from reproof.errors import UsageError
from reproof.launch import folders
from reproof.launch.folders import FolderChange, copy_folder, find_changes, read_state


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a script, data, caches and a virtual environment."""
    for name in (
        "here/train.py",
        "here/data/a.csv",
        "here/__pycache__/train.pyc",
        "here/data/__pycache__/x.pyc",
        "here/.git/HEAD",
        "here/env/pyvenv.cfg",
        "here/env/lib/big.py",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name, encoding="utf-8")
    return tmp_path / "here"


class TestChanges:
    """What is created, modified and deleted between two looks at a folder."""

    def test_each_kind_of_change(self, folder: Path) -> None:
        """By size or time of modification, with names relative to the folder, sorted."""
        (folder / "old.txt").write_text("old", encoding="utf-8")
        before = read_state(folder)
        (folder / "old.txt").unlink()
        (folder / "data" / "a.csv").write_text("longer than before", encoding="utf-8")
        os.utime(folder / "train.py", ns=(1, 1))
        for name in ("b.pt", "a.pt", "data/c.pt"):
            (folder / name).touch()
        changes = find_changes(before, read_state(folder))
        assert changes.created == ("a.pt", "b.pt", "data/c.pt")
        assert changes.modified == ("data/a.csv", "train.py")
        assert changes.deleted == ("old.txt",)
        assert changes

    def test_nothing_changed(self, folder: Path) -> None:
        """Then there is nothing to tell."""
        assert not find_changes(read_state(folder), read_state(folder))

    def test_caches_and_environments_are_no_output(self, folder: Path) -> None:
        """Bytecode, version control and virtual environments are not looked at, nor a folder that is left out."""
        state = read_state(folder)
        assert state is not None
        assert sorted(state) == ["data/a.csv", "train.py"]
        without = read_state(folder, without=folder / "data")
        assert without is not None
        assert list(without) == ["train.py"]

    def test_links_are_not_followed(self, folder: Path) -> None:
        """A link to a folder above does not make the look endless; the link itself counts."""
        (folder / "up").symlink_to("..")
        (folder / "gone").symlink_to("nowhere")
        state = read_state(folder)
        assert state is not None
        assert sorted(state) == ["data/a.csv", "gone", "train.py", "up"]

    def test_too_many_files_are_not_looked_at(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Then nothing is said about changes."""
        monkeypatch.setattr(folders, "MAX_FILES", 1)
        assert read_state(folder) is None
        assert find_changes(None, {"a": (1, 1)}) == find_changes({"a": (1, 1)}, None) == FolderChange()

    def test_a_missing_folder_is_empty(self, tmp_path: Path) -> None:
        """A script may delete its own folder."""
        assert read_state(tmp_path / "nowhere") == {}


class TestCopies:
    """A copy for a run of its own."""

    def test_files_times_and_links(self, folder: Path, tmp_path: Path) -> None:
        """All is as in the original, but virtual environments stay behind."""
        os.utime(folder / "train.py", ns=(10**18, 10**18))
        (folder / "link").symlink_to("train.py")
        copy_folder(folder, tmp_path / "copy")
        assert read_state(tmp_path / "copy") == read_state(folder)
        assert (tmp_path / "copy" / "link").readlink().name == "train.py"
        assert (tmp_path / "copy" / ".git" / "HEAD").exists()
        assert not (tmp_path / "copy" / "env").exists()

    def test_a_copy_below_the_folder_is_not_copied_into_itself(self, folder: Path) -> None:
        """Where TMPDIR lies in the working folder: our folder for copies stays behind, what else is there does not."""
        before = read_state(folder)
        work = folder / "tmp" / "reproof-1"
        copy_folder(folder, work / "clean" / "here")
        copy_folder(folder, work / "baseline" / "here")
        assert read_state(work / "baseline" / "here") == before
        assert (work / "baseline" / "here" / "tmp").is_dir()

    def test_a_very_large_folder_is_refused(
        self, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Before anything is copied; the limit is told."""
        with (folder / "data" / "big").open("wb") as file:
            file.truncate(3 << 30)  # it has no content on disk
        monkeypatch.setattr(folders, "MAX_COPY_BYTES", 1 << 30)
        with pytest.raises(UsageError, match=r"here holds over 1 GiB: run it from a smaller folder"):
            copy_folder(folder, tmp_path / "copy")
        assert not (tmp_path / "copy").exists()

    def test_what_has_no_content_stays_behind(self, folder: Path, tmp_path: Path) -> None:
        """Pipes and sockets: of an editor, of git, of a tracker that runs in the folder."""
        os.mkfifo(folder / "pipe")
        os.mknod(folder / ".git" / "s", stat.S_IFSOCK | 0o600)
        copy_folder(folder, tmp_path / "copy")
        assert {"pipe", "s"}.isdisjoint(path.name for path in (tmp_path / "copy").rglob("*"))
        assert (tmp_path / "copy" / "train.py").exists()

    def test_what_is_deleted_meanwhile_stays_behind(
        self, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Other processes work in the folder as well."""
        copy = shutil.copy2

        def delete_first(source: str, target: str) -> None:
            if source.endswith("train.py"):
                Path(source).unlink()
            copy(source, target)

        monkeypatch.setattr(shutil, "copy2", delete_first)
        copy_folder(folder, tmp_path / "copy")
        assert not (tmp_path / "copy" / "train.py").exists()

    def test_what_cannot_be_copied(self, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """One line that names the first file and why."""

        def fail(_source: str, target: str) -> None:
            raise OSError(28, "No space left on device", target)

        monkeypatch.setattr(shutil, "copy2", fail)
        with pytest.raises(UsageError, match=r"^cannot copy .*/here: .*: \[Errno 28\] .*: give TMPDIR a folder "):
            copy_folder(folder, tmp_path / "copy")

"""Copies of a folder that see what the folder sees, and cannot write there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reproof.launch import placing
from reproof.launch.imports import import_from_copy
from reproof.launch.placing import Mount, find_covered, find_top, place_among_links, place_in_layers, remove_work
from reproof.launch.processes import RunRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Way = Callable[[RunRequest, Path, Path], RunRequest | None]

MOUNTS = (
    Mount(path=Path("/"), kind="ext4"),
    Mount(path=Path("/proc"), kind="proc"),
    Mount(path=Path("/data"), kind="nfs4"),
    Mount(path=Path("/home/u/mnt"), kind="fuse.sshfs"),
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Yield a project's folder of code, as the current one: data lie beside it and above, an environment in it."""
    for name in ("repo/data/x.txt", "top.txt", "repo/src/train.py", "repo/src/.venv/pyvenv.cfg", "traces/none"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name, encoding="utf-8")
    folder = tmp_path / "repo" / "src"
    (folder / "linked").symlink_to("../data")
    monkeypatch.chdir(folder)
    yield folder
    remove_work(tmp_path.parent / f"{tmp_path.name}-work")


def make_request(project: Path) -> RunRequest:
    """Return a run in the project."""
    return RunRequest(command=("train.py",), folder=project, trace=project.parents[1] / "traces" / "a", level="steps")


def place(way: Way, project: Path) -> RunRequest:
    """Return a run in a copy of the project; pass the test over where the system does not offer it."""
    root = project.parents[1]
    placed = way(make_request(project), project, root.parent / f"{root.name}-work" / "1")
    if placed is None or not placed.confinement:
        pytest.skip("this system does not offer it")
    return placed


def run_in(placed: RunRequest, command: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the shell as the placed run would be."""
    words = [*placed.confinement, "/bin/sh", "-c", command]
    environment = {**os.environ, **placed.environment}
    return subprocess.run(words, cwd=placed.folder, env=environment, capture_output=True, text=True, check=False)


def read_tree(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return times of modification and contents of all files, and times of all folders, below a folder."""
    return {
        str(path): (path.lstat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in (folder, *folder.rglob("*"))
    }


BOTH = pytest.mark.parametrize("way", [place_in_layers, place_among_links], ids=["layers", "links"])


@BOTH
class TestBothWays:
    """What holds however the copy is placed."""

    def test_data_outside_are_found(self, way: Way, project: Path) -> None:
        """Beside, above, by an absolute path and by a relative link."""
        top = project.parents[1] / "top.txt"
        told = run_in(place(way, project), f"cat ../data/x.txt ../../top.txt {top} linked/x.txt").stdout
        assert told == "repo/data/x.txt" + "top.txt" * 2 + "repo/data/x.txt"

    def test_nothing_outside_is_written(self, way: Way, project: Path) -> None:
        """Whatever a program does beside the copy, files and times are as before; in the copy it may do it."""
        placed = place(way, project)
        before = read_tree(project.parents[1])
        run_in(placed, "echo 1 > ../data/x.txt; mkdir ../data/new; rm ../../top.txt; echo 2 > linked/y; echo 3 > own")
        assert read_tree(project.parents[1]) == before
        assert (placed.folder / "own").read_text(encoding="utf-8") == "3\n"

    def test_traces_are_written(self, way: Way, project: Path) -> None:
        """Where the run was asked to write them."""
        placed = place(way, project)
        assert run_in(placed, f"echo trace > {placed.trace}").returncode == 0
        assert placed.trace.read_text(encoding="utf-8") == "trace\n"

    def test_the_environment_is_there(self, way: Way, project: Path) -> None:
        """Though it is not copied: the interpreter may be in it."""
        assert run_in(place(way, project), "cat .venv/pyvenv.cfg").stdout == "repo/src/.venv/pyvenv.cfg"

    def test_nothing_is_left(self, way: Way, project: Path) -> None:
        """Copies and layers go when they are removed."""
        placed = place(way, project)
        run_in(placed, "echo 1 > ../data/x.txt")
        work = next(path for path in placed.folder.parents if path.name.endswith("-work"))
        remove_work(work)
        assert not work.exists()


class TestLayers:
    """The copy under the name of the folder."""

    def test_the_folder_keeps_its_name(self, project: Path) -> None:
        """So that absolute paths lead to the copy, and moves between it and what is beside it are moves."""
        placed = place(place_in_layers, project)
        (placed.folder / "only-in-copy").touch()
        told = run_in(placed, f"pwd; ls {project}/only-in-copy; mv only-in-copy ../data/ && ls ../data")
        assert told.stdout.splitlines() == [str(project), f"{project}/only-in-copy", "only-in-copy", "x.txt"]

    def test_what_is_gone_from_the_copy_is_gone(self, project: Path) -> None:
        """A file that came into the folder after it was copied is not seen."""
        placed = place(place_in_layers, project)
        (project / "later.txt").touch()
        assert run_in(placed, "ls later.txt").returncode != 0

    def test_a_system_without_them(self, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Then links are used, and nothing of the attempt is left."""
        monkeypatch.setattr(placing, "is_offered", lambda _command: False)
        root = project.parents[1]
        work = root.parent / f"{root.name}-work" / "1"
        placed = placing.place_run(make_request(project), project, work)
        assert placed.folder == work / "world" / Path(*project.parts[1:])
        assert not (work / "store").exists()
        assert placed.confinement == ()
        assert placed.plan is not None
        assert str(work) in placed.plan.writable  # the run has to see to it itself


class TestLinks:
    """The copy among links."""

    def test_names_of_the_folder_become_those_of_the_copy(self, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """In PYTHONPATH and for a script that is named by its full path; others stay."""
        monkeypatch.setenv("PYTHONPATH", f"{project}/lib{os.pathsep}/elsewhere")
        root = project.parents[1]
        request = RunRequest(
            command=(str(project / "train.py"), "--x"), folder=project, trace=root / "traces" / "a", level="steps"
        )
        placed = place_among_links(request, project, root.parent / f"{root.name}-work" / "1")
        assert placed.command == ("train.py", "--x")
        assert placed.environment["PYTHONPATH"] == f"{placed.folder}/lib{os.pathsep}/elsewhere"
        assert placed.plan is not None
        assert placed.plan.origin == str(project)

    def test_packages_in_editable_mode(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Are imported from the copy, by a path or by a finder of setuptools."""
        finder = type(sys)("__editable___mine_finder")
        finder.MAPPING = {"mine": "/repo/src/mine", "other": "/else/other"}  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, finder.__name__, finder)
        monkeypatch.setattr(sys, "path", ["/repo/src", "/lib"])
        import_from_copy(Path("/repo"), Path("/copy"))
        assert sys.path == ["/copy/src", "/lib"]
        assert finder.MAPPING == {"mine": "/copy/src/mine", "other": "/else/other"}  # type: ignore[attr-defined]


class TestTop:
    """Which folders layers are laid over."""

    @pytest.mark.parametrize(
        ("folder", "work", "top"),
        [
            ("/opt/a/b/src", "/var/w", "/opt"),
            ("/var/case/src", "/var/w", "/var/case"),
            ("/home/u/p", "/var/w", None),  # something is mounted in /home/u
            ("/home/u/p/src", "/var/w", "/home/u/p"),
            ("/data/p/src", "/var/w", "/data"),
            ("/data", "/var/w", None),
            ("/p", "/var/w", None),
            ("/opt/a", "/opt/a/tmp", None),
        ],
    )
    def test_the_outermost_that_can_be_covered(self, folder: str, work: str, top: str | None) -> None:
        """On the same file system, nothing mounted below, without the layers themselves, and not the root."""
        found = find_top(Path(folder), Path(work), MOUNTS)
        assert found == (None if top is None else Path(top))

    def test_other_file_systems_are_covered(self) -> None:
        """But for that of the folder, of the layers and of the system."""
        covered = find_covered(Path("/opt"), Path("/data/tmp"), MOUNTS)
        assert Path("/home/u/mnt") in covered
        assert not {Path("/"), Path("/proc"), Path("/opt"), Path("/data"), Path("/var")} & set(covered)

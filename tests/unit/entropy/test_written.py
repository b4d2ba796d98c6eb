"""Files that are written elsewhere than in the working folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reproof.entropy import written
from reproof.entropy.ledger import Ledger, Written, read_written
from reproof.entropy.plan import Plan, plan_from_json
from reproof.entropy.written import WrittenFiles

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def files(interceptor: Any) -> WrittenFiles:
    """Return what hears of files."""
    return WrittenFiles(interceptor)


@pytest.fixture
def hear(interceptor: Any, files: WrittenFiles) -> Callable[..., list[Written]]:
    """Return a function that takes audit events, and returns what is noted."""

    def hear(*events: tuple[Any, ...]) -> list[Written]:
        for event, *arguments in events:
            files.hear(event, tuple(arguments))
        return read_written(interceptor.folder)

    return hear


@pytest.mark.parametrize(
    "event",
    [
        ("open", "../out/x", "w", 0),
        ("open", "../out/x", "ab", 0),
        ("open", "../out/x", "r+", 0),
        ("open", b"../out/x", None, os.O_WRONLY | os.O_CREAT),
        ("open", Path("../out/x"), None, os.O_RDWR),
        ("os.rename", "y", "../out/x", -1, -1),
        ("os.link", "y", "../out/x", -1, -1),
        ("os.symlink", "step_7", "../out/x", -1),
        ("os.truncate", "../out/x", 3),
        ("sqlite3.connect", "../out/x"),
        ("sqlite3.connect", "file:../out/x?mode=rwc"),
    ],
    ids=str,
)
def test_whatever_is_opened_to_write_is_noted(
    event: tuple[Any, ...], hear: Callable[..., list[Written]], tmp_path: Path
) -> None:
    """By the name that the program gives it, and where that is; once."""
    assert hear(event, event) == [Written(str(tmp_path / "out" / "x"), "../out/x", was_there=False)]


def test_a_file_is_placed_by_the_descriptor_of_its_folder(
    hear: Callable[..., list[Written]], files: WrittenFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it is opened, moved or linked; a descriptor that is none is the program's own error."""
    monkeypatch.setattr(os, "open", os.open)  # put back at the end
    written._follow_descriptors(files)
    assert os.open in os.supports_dir_fd
    folder = os.open(tmp_path / "out", os.O_RDONLY)
    os.close(os.open("made", os.O_WRONLY | os.O_CREAT, dir_fd=folder))
    os.close(os.open("made", os.O_RDONLY, dir_fd=folder))
    found = hear(("os.rename", "y", "moved", -1, folder), ("os.link", "y", "linked", folder, folder))
    os.close(folder)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.open("made", os.O_WRONLY, dir_fd=folder)
    assert [file.path for file in found] == [str(tmp_path / "out" / name) for name in ("made", "moved", "linked")]


def test_where_a_stream_leads_is_no_file(hear: Callable[..., list[Written]], tmp_path: Path) -> None:
    """What is written to ``/dev/stdout`` is printed, whatever it leads to."""
    with (tmp_path / "out" / "log").open("w") as file:
        assert hear(("open", f"/dev/fd/{file.fileno()}", "w", 0)) == []


def test_what_was_there_before_is_known_of_a_log(hear: Callable[..., list[Written]], tmp_path: Path) -> None:
    """A run is not to blame for the lines of those before it."""
    path = tmp_path / "out" / "log.txt"
    path.write_text("earlier\n", encoding="utf-8")
    expected = Written(str(path), "../out/log.txt", was_there=True, num_earlier=8)
    assert hear(("open", "../out/log.txt", "a", 0), ("open", "../out/log.txt", "r+", 0)) == [expected]


def test_what_a_link_in_the_folder_leads_to_is_elsewhere(hear: Callable[..., list[Written]], tmp_path: Path) -> None:
    """As ``outputs`` on a larger disk; a link within the folder leads to what is found there."""
    (tmp_path / "work" / "inner").mkdir()
    for name, target in (("outputs", "../out"), ("last.txt", "../out/1.txt"), ("within", "inner")):
        (tmp_path / "work" / name).symlink_to(target)
    paths = [str(tmp_path / "out" / name) for name in ("x", "1.txt")]
    events = [("open", name, "w", 0) for name in ("outputs/x", "last.txt", "within/y", "../out/x")]
    assert hear(*events) == [Written(path, path, was_there=False) for path in paths]


def test_what_is_written_where_nobody_looks_is_noted(interceptor: Any, tmp_path: Path) -> None:
    """By its place in the working folder, which holds too many files to look through; in spawned children as well."""
    plan = Plan(passed=(f"{tmp_path / 'work' / 'images'}{os.sep}",))
    interceptor.plan = plan_from_json(plan.to_json())
    files = WrittenFiles(interceptor)
    for name in ("images/x", tmp_path / "work" / "images" / "y", "z"):
        files.hear("open", (name, "w", 0))
    noted = [Written(str(tmp_path / "work" / name), name, was_there=False) for name in ("images/x", "images/y")]
    assert read_written(interceptor.folder) == noted


def test_a_file_that_a_program_writes_through_a_link_is_noted_once(
    hear: Callable[..., list[Written]], files: WrittenFiles, tmp_path: Path
) -> None:
    """By where it is; the link, which the command names, is as it was."""
    target = tmp_path / "out" / "log"
    (tmp_path / "out" / "link").symlink_to("log")
    hear(("os.system", "date > ../out/link"))
    target.write_text("x")
    files.finish()
    assert [file.path for file in read_written(tmp_path / "trace")] == [str(target)]


@pytest.mark.parametrize("leads_to", ["step_3", "gone"])
def test_a_link_that_is_set_anew_is_written_itself(
    leads_to: str, hear: Callable[..., list[Written]], files: WrittenFiles, tmp_path: Path
) -> None:
    """As ``latest -> step_7``, in one step or by a program; not what it led to before."""
    for name in ("step_3", "step_7"):
        (tmp_path / "out" / name).mkdir()
    links = [tmp_path / "out" / name for name in ("latest", "best", "kept")]
    for link in links:
        link.symlink_to(leads_to)
    hear(("os.rename", "made", "../out/latest", -1, -1), ("os.system", "ln -sfn step_7 ../out/best; ls ../out/kept"))
    links[1].unlink()
    links[1].symlink_to("step_7")
    files.finish()
    found = read_written(tmp_path / "trace")
    assert [(file.path, file.was_there) for file in found] == [(str(link), True) for link in links[:2]]


@pytest.mark.parametrize(
    "event",
    [
        ("open", "../out/x", "r", 0),
        ("open", "../out/x", None, os.O_RDONLY),
        ("open", 3, "w", 0),
        ("open", "x", "w", 0),
        ("open", "../trace/x", "w", 0),
        ("open", "../.cache/x", "w", 0),
        ("open", "../out", "w+", 0),
        ("open", "../out", None, os.O_RDWR | getattr(os, "O_TMPFILE", 0)),
        ("open", "../out/__pycache__/x", "w", 0),
        ("open", "/dev/null", "w", 0),
        ("open", f"{sys.prefix}/x", "w", 0),
        ("sqlite3.connect", ":memory:"),
        ("sqlite3.connect", "file:../out/x?mode=memory&cache=shared"),
        ("os.remove", "../out/x", -1),
    ],
    ids=str,
)
def test_what_is_no_output_elsewhere_is_not(event: tuple[Any, ...], hear: Callable[..., list[Written]]) -> None:
    """What is read, is in the folder, belongs to the system, is a cache or has no name."""
    assert hear(event) == []


def test_whether_it_was_there(hear: Callable[..., list[Written]], tmp_path: Path) -> None:
    """The first time that the run opens it."""
    (tmp_path / "out" / "x").touch()
    assert [file.was_there for file in hear(("open", str(tmp_path / "out" / "x"), "a", 0))] == [True]


def test_a_forked_child_notes_its_own(interceptor: Any, hear: Callable[..., list[Written]]) -> None:
    """In its ledger; what one of both has made was not there before."""
    hear(("open", "../out/x", "w", 0))
    Path("../out/x").touch()
    interceptor.ledger = Ledger(interceptor.folder, "0.1")
    found = hear(("open", "../out/x", "a", 0), ("open", "../out/y", "w", 0))
    assert [(file.name, file.was_there) for file in found] == [("../out/x", False), ("../out/y", False)]


def test_bounded_and_never_an_error(
    interceptor: Any, hear: Callable[..., list[Written]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So many files of a process; a path that cannot be is a problem of the record, not of the program."""
    monkeypatch.setattr(written, "MAX_WRITTEN", 3)
    found = hear(*(("open", f"../out/{number}", "w", 0) for number in range(6)))
    assert [file.name for file in found] == ["../out/0", "../out/1", "../out/2", "*"]

    class Broken(os.PathLike[str]):
        def __fspath__(self) -> str:
            raise ValueError("no path")

    hear(("open", Broken(), "w", 0))
    assert interceptor.ledger.problems == ["a file that was written is not known: no path"]


@pytest.mark.parametrize(
    "event",
    [
        ("os.system", "tool --quiet ../out/read > ../out/made 2>../out/same"),
        ("subprocess.Popen", "tool", ["tool", "../out/read", "--to=../out/made", Path("../out/same")], None, None),
        ("subprocess.Popen", "sh", ["sh", "-c", "tool <../out/read >'../out/made'; cat ../out/same"], None, None),
        ("os.posix_spawn", "tool", [b"tool", b"../out/read", b"../out/made", b"../out/same"], None),
    ],
    ids=["system", "Popen", "shell", "spawn"],
)
def test_what_a_program_writes_is_known_by_its_command(
    event: tuple[Any, ...], hear: Callable[..., list[Written]], files: WrittenFiles, tmp_path: Path
) -> None:
    """Of the files that the command names, those that are new or other at the end; not those that it reads."""
    for name in ("read", "same"):
        (tmp_path / "out" / name).write_text("0.5", encoding="utf-8")
    assert hear(event) == []
    (tmp_path / "out" / "made").write_text("0.5", encoding="utf-8")
    (tmp_path / "out" / "same").write_text("0.51", encoding="utf-8")
    files.finish()
    found = read_written(tmp_path / "trace")
    assert sorted((Path(file.path).name, file.was_there) for file in found) == [("made", False), ("same", True)]


def test_a_command_of_any_kind_is_no_error(hear: Callable[..., list[Written]], interceptor: Any) -> None:
    """The program gets its own error, not ours."""
    assert hear(("subprocess.Popen", "x", [1, None], None, None), ("os.system", 3)) == []
    assert interceptor.ledger.problems == []

"""What a process looks for or reads."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reproof.entropy.found import MAX_FILES, FoundFiles, read_found
from reproof.entropy.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def hear(interceptor: Any, tmp_path: Path) -> Callable[..., list[str]]:
    """Return a function that takes audit events, and returns what is noted, relative to the test's folder."""
    files = FoundFiles(interceptor)

    def hear(*events: tuple[Any, ...]) -> list[str]:
        for event, *arguments in events:
            files.hear(event, tuple(arguments))
        return [name.removeprefix(f"{tmp_path}{os.sep}") for name in read_found(interceptor.folder).paths]

    return hear


@pytest.mark.parametrize(
    ("event", "name"),
    [
        (("open", "x", "r", 0), "work/x"),
        (("open", "x", "r+b", 0), "work/x"),
        (("open", "x", "x", 0), "work/x"),
        (("open", "../out/x", None, os.O_RDONLY), "out/x"),
        (("open", b"x", None, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "work/x"),
        (("sqlite3.connect", Path("x")), "work/x"),
        (("os.mkdir", "x", 511, -1), "work/x"),
        (("os.listdir", "../out"), "out/"),
        (("os.scandir", "."), "work/"),
    ],
    ids=str,
)
def test_whatever_is_opened_to_read_or_listed_is_noted(
    event: tuple[Any, ...], name: str, hear: Callable[..., list[str]]
) -> None:
    """Once."""
    assert hear(event, event) == [name]


@pytest.mark.parametrize(
    "event",
    [
        ("open", "x", "w", 0),
        ("open", "x", "ab", 0),
        ("open", "x", None, os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        ("open", 3, "r", 0),
        ("open", "../trace/x", "r", 0),
        ("open", "/dev/urandom", "rb", 0),
        ("open", f"{sys.prefix}/x", "r", 0),
        ("os.listdir", None),
    ],
    ids=str,
)
def test_what_is_written_or_of_the_system_is_not(event: tuple[Any, ...], hear: Callable[..., list[str]]) -> None:
    """Nor is the trace."""
    assert hear(event) == []


def test_a_program_looks_for_the_files_that_its_command_names(hear: Callable[..., list[str]]) -> None:
    """If they are there; what else it looks at is not known."""
    Path("../out/x").touch()
    Path("y").touch()
    assert hear(("os.system", b"test -f ../out/x || ./make >../out/z")) == ["out/x"]
    assert hear(("subprocess.Popen", "/bin/cp", ["cp", Path("y"), "z"], None, None)) == ["out/x", "work/y"]


def test_through_a_link_both_names_are_noted(hear: Callable[..., list[str]], tmp_path: Path) -> None:
    """The one that the program has, and where that is."""
    (tmp_path / "work" / "data").symlink_to("../out")
    assert hear(("open", "data/x", "r", 0)) == ["out/x", "work/data/x"]


def test_of_many_files_the_folder_is_noted(hear: Callable[..., list[str]]) -> None:
    """It stands for all files in it."""
    found = hear(*(("open", f"{number}.png", "rb", 0) for number in range(MAX_FILES + 9)))
    assert len(found) == MAX_FILES + 1
    assert found[-1] == "work/*"


def test_who_searches_for_modules_looks_for_no_file(interceptor: Any) -> None:
    """Python lists the folders of its path; a caller of `os.path.exists` is asked for."""
    files = FoundFiles(interceptor)
    code = compile("look('x', sys._getframe())", "x.py", "exec")
    for module, is_noted in (("importlib._bootstrap_external", False), ("train", True)):
        exec(code, {"__name__": module, "look": files.look, "sys": sys})  # noqa: S102  # a frame of that module
        assert bool(read_found(interceptor.folder).paths) is is_noted


def test_what_was_not_there_is_told(interceptor: Any, hear: Callable[..., list[str]], tmp_path: Path) -> None:
    """When it was first looked for; of a folder that is listed, what it held."""
    Path("there").touch()
    hear(("open", "there", "r", 0), ("open", "made", "r", 0), ("os.listdir", "."), ("os.listdir", "none"))
    Path("made").touch()
    hear(("open", "made", "r", 0), ("os.listdir", "."))
    found = read_found(interceptor.folder)
    work = tmp_path / "work"
    assert list(found.missing) == [f"{work}/made", f"{work}/none"]
    assert found.holds == {f"{work}/": ["there"]}


def test_a_file_may_be_looked_at_as_a_folder(interceptor: Any, hear: Callable[..., list[str]]) -> None:
    """Whoever adds all that is somewhere to an archive tries; there is nothing in it, and no problem."""
    Path("x").touch()
    assert hear(("os.scandir", "x"), ("os.listdir", b"x")) == ["work/x/"]
    assert (interceptor.ledger.problems, read_found(interceptor.folder).holds) == ([], {})


@pytest.mark.parametrize(
    ("module", "code", "is_noted"),
    [
        ("os", "def makedirs(exist_ok): ask('x', sys._getframe())\nmakedirs(True)", False),
        ("os", "def makedirs(exist_ok): hear('os.mkdir', ('x', 511, -1))\nmakedirs(True)", False),
        ("os", "def makedirs(exist_ok): hear('os.mkdir', ('x', 511, -1))\nmakedirs(False)", True),
        ("pathlib", "def mkdir(exist_ok): hear('os.mkdir', ('x', 511, -1))\nmkdir(True)", False),
        ("shutil", "ask('x', sys._getframe())", False),
        ("shutil", "hear('open', ('x', 'r', 0))", True),
        ("oscillator", "ask('x', sys._getframe())", True),
    ],
)
def test_who_makes_a_file_whatever_there_is_does_not_look(
    module: str, code: str, interceptor: Any, *, is_noted: bool
) -> None:
    """`makedirs`, `mkdir` with ``exist_ok`` and `shutil.move` ask for what is there only to make it."""
    files = FoundFiles(interceptor)
    exec(code, {"__name__": module, "ask": files.ask, "hear": files.hear, "sys": sys})  # noqa: S102  # frames of it
    assert bool(read_found(interceptor.folder).paths) is is_noted


def test_a_forked_child_notes_in_its_own_ledger(interceptor: Any, hear: Callable[..., list[str]]) -> None:
    """What its parent has noted is noted."""
    hear(("open", "x", "r", 0))
    interceptor.ledger = Ledger(interceptor.folder, "0.1")
    assert sorted(hear(("open", "x", "r", 0), ("open", "y", "r", 0))) == ["work/x", "work/y"]


def test_never_an_error(interceptor: Any, hear: Callable[..., list[str]]) -> None:
    """A path that cannot be is a problem of the record, not of the program."""

    class Broken(os.PathLike[str]):
        def __fspath__(self) -> str:
            raise ValueError("no path")

    hear(("open", Broken(), "r", 0))
    assert interceptor.ledger.problems == ["a file that was looked at is not known: no path"]

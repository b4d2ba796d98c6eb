"""Who opens or looks for a file is told, in a process of its own: an audit hook stays for the life of one."""

from __future__ import annotations

import subprocess
import sys
from textwrap import dedent
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def run(folder: Path, text: str) -> list[str]:
    """Run lines below a function `told` in which each access in a folder ends, and return what was printed."""
    begin = """
        import os, sqlite3
        from reproof.entropy.sources.file_access import follow_files
        told = []
        def look_at(access):
            if access.name.startswith(os.getcwd()):
                told.append((access.source, os.path.relpath(access.name), access.is_read))
        supported = os.stat in os.supports_follow_symlinks
        follow_files(look_at)
    """
    command = [sys.executable, "-c", dedent(begin) + dedent(text)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.splitlines()


def test_reading_writing_listing_and_looking_for_are_told_apart(tmp_path: Path) -> None:
    """Each with the path relative to nothing, and whether the content counts."""
    printed = run(
        tmp_path,
        """
        open("a", "w").close()
        open(b"a").close()
        os.close(os.open("a", os.O_RDWR))
        os.close(os.open("a", os.O_WRONLY))
        os.path.exists("b")
        os.listdir(".")
        sqlite3.connect("c.db").close()
        for one in told:
            print(*one)
        """,
    )
    assert printed == [
        "open a False",
        "open a True",
        "open a True",
        "open a False",
        "os.stat b True",
        "os.listdir . True",
        "sqlite3.connect c.db True",
    ]


def test_what_is_raised_reaches_who_opens(tmp_path: Path) -> None:
    """So that a file can be hidden."""
    printed = run(
        tmp_path,
        """
        open("a", "w").close()
        def append(_): raise FileNotFoundError(2, "hidden", "a")
        told = type("Told", (), {"append": staticmethod(append)})
        print(os.path.exists("a"))
        try:
            open("a")
        except FileNotFoundError as error:
            print(error.strerror)
        """,
    )
    assert printed == ["False", "hidden"]


def test_who_copies_files_gets_the_answer_of_the_original(tmp_path: Path) -> None:
    """`shutil` asks whether `os.stat` can be told not to follow links."""
    assert run(tmp_path, "print(supported, os.stat in os.supports_follow_symlinks)") == ["True True"]

"""Writing outside of some folders is refused by Python itself, in a process of its own: hooks cannot be taken away."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """
import os, sys
from pathlib import Path
from reproof.launch.guard import refuse_writes
refuse_writes(["inside"])
{statement}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with one inside that may be written and a link in it that leads out."""
    (tmp_path / "inside").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "x").write_text("x", encoding="utf-8")
    (tmp_path / "inside" / "link").symlink_to("../outside")
    return tmp_path


def run(folder: Path, statement: str) -> str:
    """Return the last line of the error of a statement; nothing if it was carried out."""
    program = PROGRAM.format(statement=statement)
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False)
    return done.stderr.strip().rpartition("\n")[2]


@pytest.mark.parametrize(
    "statement",
    [
        "open('outside/x', 'a')",
        "open('inside/link/y', 'w')",
        "Path('outside/x').unlink()",
        "os.mkdir('outside/new')",
        "os.rename('inside/link', 'outside/link')",
        "os.utime('outside/x', (1, 1))",
        "os.open('outside/x', os.O_RDWR)",
    ],
)
def test_what_changes_files_outside_is_refused(statement: str, folder: Path) -> None:
    """As by a file system that this user may not write to."""
    assert run(folder, statement).startswith("PermissionError: [Errno 13]")
    assert [path.read_text(encoding="utf-8") for path in (folder / "outside").iterdir()] == ["x"]


@pytest.mark.parametrize(
    "statement",
    ["open('outside/x').read()", "open('inside/y', 'w').write('y')", "os.mkdir('inside/new')", "os.listdir('outside')"],
)
def test_all_else_is_carried_out(statement: str, folder: Path) -> None:
    """Reading anywhere, and writing inside."""
    assert run(folder, statement) == ""

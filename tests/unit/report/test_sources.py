"""The text around a line, and whether it is still what ran."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from reproof.report.sources import find_function, read_excerpt

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = "class A:\n    def run(self):\n        x = 1\n        return x\n\n\ny = 2\n"


def test_an_excerpt_without_its_indent(tmp_path: Path) -> None:
    """Two lines around, dedented, with the function."""
    (tmp_path / "m.py").write_text(SOURCE)
    found = read_excerpt(tmp_path, "m.py", 4, {}, "return x")
    assert found is not None
    assert (found.first, found.lines[0], found.function, found.note) == (2, "def run(self):", "A.run", "")


def test_a_file_that_has_changed_says_so(tmp_path: Path) -> None:
    """By its digest, or by the line that stood there."""
    (tmp_path / "m.py").write_text(SOURCE)
    digest = hashlib.sha256(b"other").hexdigest()
    changed = read_excerpt(tmp_path, "m.py", 3, {str((tmp_path / "m.py").resolve()): digest})
    moved = read_excerpt(tmp_path, "m.py", 3, {}, "x = 2")
    assert changed is not None
    assert moved is not None
    assert changed.note == moved.note == "The file has changed since the runs."


def test_what_cannot_be_read_is_none(tmp_path: Path) -> None:
    """A file that is gone, a line that is not there, text that is no Python."""
    (tmp_path / "m.py").write_text("((")
    assert read_excerpt(tmp_path, "gone.py", 1, {}) is None
    assert read_excerpt(tmp_path, "m.py", 9, {}) is None
    assert find_function("((", 1) == ""

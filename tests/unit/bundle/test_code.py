"""Digests of code: what it does counts, and comments do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reproof.bundle.code import compare_code, describe_source, digest_syntax

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("other", "is_same"),
    [
        ("def f(x):\n    return x + 1  # comment\n", True),
        ('def f(x):\n    """What it does."""\n\n    return (x + 1)\n', True),
        ("def f(x):\n    return x + 2\n", False),
        ("def f(x):\n    return x - 1\n", False),
        ("def f(y):\n    return y + 1\n", False),
        ("def f(x):\n    return x + 1.0\n", False),
    ],
)
def test_code_counts_and_comments_do_not(other: str, is_same: bool) -> None:  # noqa: FBT001  # a parameter
    """Comments, docstrings and parentheses leave the digest of the syntax; a number, a sign, a name change it."""
    assert (digest_syntax(other.encode()) == digest_syntax(b"def f(x):\n    return x + 1\n")) is is_same


def test_changed_code_is_told_from_changed_text(tmp_path: Path) -> None:
    """Files with other code are named apart from files with other comments."""
    (tmp_path / "a.py").write_text("x = 1\n")
    before = describe_source(tmp_path / "a.py")
    (tmp_path / "a.py").write_text("x = 1  # one\n")
    after = describe_source(tmp_path / "a.py")
    assert compare_code({"files": {"a.py": before}}, {"files": {"a.py": after}}) == ([], ["a.py"])
    assert compare_code({"files": {}}, {"files": {"a.py": after}}) == (["a.py is not in the bundle"], [])

"""Lines for a terminal: none is longer than it is wide, whatever colours it has."""

from __future__ import annotations

import click
import pytest

from reproof.cli.lines import wrap


@pytest.mark.parametrize("width", [40, 60, 80])
def test_no_part_is_wider(width: int) -> None:
    """Words go to the next line, under the text of the first."""
    parts = wrap("  proof  " + "with all values of the baseline it is identical " * 5, width)
    assert max(map(len, parts)) <= width
    assert all(part.startswith(" " * 9) and part[9] != " " for part in parts[1:])


def test_colours_count_for_nothing() -> None:
    """A short line with colours stays one."""
    line = click.style("x" * 38, fg="red", bold=True)
    assert wrap(line, 40) == [line]


def test_nothing_is_lost() -> None:
    """All words come back in their order."""
    text = "  why    " + " ".join(f"word{number}" for number in range(40))
    assert " ".join(" ".join(wrap(text, 50)).split()) == " ".join(text.split())


def test_a_long_word_stays_whole() -> None:
    """A path can be copied."""
    path = "/".join(["folder"] * 20)
    assert any(path in part for part in wrap(f"  file  {path} and more words after it", 40))

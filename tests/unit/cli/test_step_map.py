"""The map of steps in the terminal."""

from __future__ import annotations

import pytest

from reproof.cli.step_map import draw_map
from reproof.schema import DIFFERENT, EQUAL, NOT_COMPARED, StepMap


def draw(plane: bytes, width: int = 10, *, is_unicode: bool = True) -> str:
    """Return the line of one stage."""
    return draw_map(StepMap(0, len(plane), (("loss", plane),)), width=width, is_unicode=is_unicode).get("loss", "")


def test_each_step_has_a_character_where_there_is_room() -> None:
    """Equal, not compared, differing, and nothing there."""
    assert draw(bytes([EQUAL, NOT_COMPARED, DIFFERENT, 0, EQUAL])) == "─░█ ─"
    assert draw(bytes([EQUAL, NOT_COMPARED, DIFFERENT, 0, EQUAL]), is_unicode=False) == "-?# -"


@pytest.mark.parametrize("place", [0, 1, 499, 998, 999])
def test_a_single_step_among_thousands_is_never_hidden(place: int) -> None:
    """It is told from steps that all differ."""
    plane = bytearray([EQUAL]) * 1000
    plane[place] = DIFFERENT
    line = draw(bytes(plane))
    assert line.count("▒") == 1
    assert line.index("▒") == place * 10 // 1000
    assert len(line) == 10


def test_one_step_is_no_map() -> None:
    """Its line says all."""
    assert draw(bytes([DIFFERENT])) == ""
    assert draw(b"") == ""

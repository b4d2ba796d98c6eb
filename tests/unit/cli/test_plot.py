"""Curves drawn with characters: their shape, their labels, and losses that are no numbers."""

from __future__ import annotations

import math
import sys

import pytest

from reproof.cli.plot import draw_bars, draw_curve
from reproof.trace.views.curves import Point


def points_of(*values: float) -> list[Point]:
    """Return a curve of one value per step."""
    return [Point(step, value) for step, value in enumerate(values)]


def draw(*values: float, is_unicode: bool = True, width: int = 20, height: int = 4) -> list[str]:
    """Return the plot of a curve."""
    return draw_curve(points_of(*values), width=width, height=height, is_unicode=is_unicode)


class TestShape:
    """What is drawn where."""

    def test_a_straight_line_in_quarter_blocks(self) -> None:
        """From the upper left to the lower right corner, with the ends of both axes."""
        assert draw(3, 0, width=16) == [
            "  3 │▀▄▖",
            "    │  ▝▀▄▖",
            "1.5 │     ▝▀▄▖",
            "  0 │        ▝▀▄",
            "    └───────────",
            "     step 0    1",
        ]

    def test_the_same_line_in_ascii(self) -> None:
        """Full stops and apostrophes, no other character."""
        lines = draw(3, 0, width=12, is_unicode=False)
        assert "".join(lines).isascii()
        assert set("".join(line.partition("|")[2] for line in lines[:-2])) <= set(" .':")

    @pytest.mark.parametrize("is_unicode", [True, False])
    def test_it_fits_its_width(self, *, is_unicode: bool) -> None:
        """No line is longer than asked for, nor ends in spaces, whatever the values."""
        for values in ([1.5, 2.5], [-1e300, 1e300], [1e-9, 1e9], [0.1234567, 0.1234568], [math.nan, 1, math.inf]):
            for width in (40, 80):
                lines = draw(*values, is_unicode=is_unicode, width=width, height=10)
                assert max(map(len, lines)) <= width
                assert all(line == line.rstrip() for line in lines)

    def test_the_highest_value_is_on_top_and_the_lowest_at_the_bottom(self) -> None:
        """The labels say which they are, the middle one lies between."""
        lines = draw(1, 5, 2, 1)
        assert [line.partition("│")[0].strip() for line in lines[:4]] == ["5", "", "3", "1"]

    def test_equal_values_are_a_level_line(self) -> None:
        """With one label."""
        lines = draw(2.5, 2.5, 2.5)
        assert [line.partition("│")[0].strip() for line in lines[:4]] == ["", "", "2.5", ""]
        assert sum("▄" in line or "▀" in line for line in lines) == 1

    def test_values_that_differ_late_have_labels_that_differ(self) -> None:
        """As many digits as it takes."""
        lines = draw(1.000001, 1.000002)
        assert lines[0].startswith("1.000002")
        assert lines[3].startswith("1.000001")

    def test_a_curve_over_many_magnitudes_is_logarithmic(self) -> None:
        """A loss that falls by a factor of ten each time is a straight line, with the geometric mean in the middle."""
        lines = draw(1e4, 1e2, 1, width=20, height=5)
        assert [line.partition("│")[0].strip() for line in lines[:5]] == ["1e+04", "", "100", "", "1"]

    def test_a_single_point_is_drawn(self) -> None:
        """One dot, and the one step below it."""
        lines = draw(7)
        assert lines[-1].strip() == "step 0"
        assert any("7 │" in line for line in lines)

    def test_the_largest_floats_are_no_problem(self) -> None:
        """The span between them is infinite, and the labels are what they are."""
        lines = draw(-sys.float_info.max, sys.float_info.max)
        assert lines[0].startswith(" 1.798e+308 │")
        assert lines[3].startswith("-1.798e+308 │")

    def test_steps_beyond_float_precision_are_placed(self) -> None:
        """Two steps next to each other near 2**63 are at the two ends."""
        lines = draw_curve([Point(2**63 - 2, 0.0), Point(2**63 - 1, 1.0)], width=60, height=4, is_unicode=True)
        assert lines[-1].split() == ["step", str(2**63 - 2), str(2**63 - 1)]

    def test_a_step_beyond_the_ends_is_drawn_at_the_end(self) -> None:
        """A damaged trace may claim any step: the plot takes no longer for it."""
        points = [Point(0, 0.0), Point(2**62, 1.0), Point(3, 0.5)]
        assert len(draw_curve(points, width=20, height=4, is_unicode=True)) == 6


class TestNoNumbers:
    """NaN and infinity have a line of their own."""

    def test_a_cross_for_each(self) -> None:
        """Above the place of their step; the curve stops before them and goes on after them."""
        lines = draw(1, math.nan, 2, 1)
        assert lines[0].startswith("nan │")
        assert lines[0].count("x") == 1
        assert len(lines) == 4 + 1 + 2

    def test_infinities_are_named(self) -> None:
        """Of both signs."""
        assert draw(1, math.inf, -math.inf, math.nan, width=40)[0].startswith("-inf/inf/nan │")

    def test_a_curve_of_nothing_else(self) -> None:
        """Crosses and the axis."""
        lines = draw(math.nan, math.nan)
        assert [len(lines), lines[0].count("x")] == [3, 2]

    def test_they_do_not_connect_what_lies_around_them(self) -> None:
        """No line leads across a gap."""
        whole, broken = (
            sum(len(line.partition("│")[2].replace(" ", "")) for line in draw(*values, width=60)[-6:-2])
            for values in ([1, 1, 1, 1], [1, math.nan, math.nan, 1])
        )
        assert broken < whole / 4


class TestTwoCurves:
    """Of two runs, on one scale."""

    @pytest.mark.parametrize(("is_unicode", "dot", "mark"), [(True, "•", "▲"), (False, "o", "^")])
    def test_the_other_is_seen_where_it_parts(self, dot: str, mark: str, *, is_unicode: bool) -> None:
        """Not before, and its values are on the axis; the step at which they part is marked."""
        one, other = points_of(*[1.0] * 20), points_of(*[1.0] * 10, *range(2, 12))
        lines = draw_curve(one, width=60, height=5, is_unicode=is_unicode, other=other, mark=10)
        plot = [line[line.index("│" if is_unicode else "|") + 1 :] for line in lines[:5]]
        assert all(line.find(dot) > len(plot[-1].rstrip()) / 2 - 4 for line in plot[:4])
        assert lines[0].lstrip().startswith("11 ")
        assert 25 < lines[5].index(mark) - lines[5].index("└" if is_unicode else "+") < 35

    def test_equal_curves_are_one(self) -> None:
        """Nothing is said to differ."""
        one = points_of(3, 2, 1)
        assert draw_curve(one, width=40, height=4, is_unicode=True, other=one) == draw(3, 2, 1, width=40, height=4)


class TestBars:
    """A curve in one line."""

    def test_low_to_high(self) -> None:
        """The lowest value has the lowest bar, the highest the highest."""
        assert draw_bars([0, 1, 2, 7], width=10, is_unicode=True) == "▁▂▃█"
        assert draw_bars([0, 1, 2, 7], width=10, is_unicode=False) == "__.'"

    def test_more_values_than_places(self) -> None:
        """Some at even distances, the first and the last among them."""
        assert draw_bars([0.0, *[3.0] * 998, 7.0], width=8, is_unicode=True) == "▁▄▄▄▄▄▄█"

    def test_no_numbers(self) -> None:
        """Crosses."""
        assert draw_bars([math.nan, 1, math.inf, 2], width=8, is_unicode=True) == "x▁x█"

"""Draw a curve with characters: quarter blocks where the terminal has them, else full stops and apostrophes.

Written here because the libraries considered are slow to start, crash on NaN, or need Unicode (docs/dependencies.md).
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from reproof.trace.views.curves import Point

    Dots = set[tuple[int, int]]

DOTS: Final = {True: "•", False: "o"}
"""Of the other curve, where the first has none."""

MARKS: Final = {True: "▲", False: "^"}
QUARTERS: Final = {True: " ▘▝▀▖▌▞▛▗▚▐▜▄▙▟█", False: " '''.:::.:::.:::"}
"""By whether there is Unicode: a character per set of dots: 1 upper left, 2 upper right, 4 and 8 below them."""

FRAME: Final = {True: ("│", "└", "─"), False: ("|", "+", "-")}
BARS: Final = {True: "▁▂▃▄▅▆▇█", False: "_.-'"}
LOG_RATIO: Final = 1000
"""Positive curves that span more are drawn on a logarithmic scale."""


def draw_curve(
    points: Sequence[Point],
    *,
    width: int,
    height: int,
    is_unicode: bool,
    other: Sequence[Point] = (),
    mark: int | None = None,
) -> list[str]:
    """Return the lines of a plot of a curve, in a frame with the ends of both axes.

    Values that are NaN or infinite are crosses in a line of their own above it.

    Args:
        points: At least one point, in the order of their steps.
        width: Characters per line.
        height: Lines, without the axis and its labels.
        is_unicode: Whether the terminal has more than ASCII.
        other: Another curve of the same steps, drawn as single dots where the first is not.
        mark: A step that is marked on the axis.
    """
    finite = [point.value for point in (*points, *other) if math.isfinite(point.value)]
    labels = label_rows(finite, height) if finite else []
    odd = sorted({f"{point.value:g}" for point in points if not math.isfinite(point.value)})
    margin = max(map(len, [*labels, "/".join(odd)]))
    num_columns = width - margin - 2
    side, corner, line = FRAME[is_unicode]
    lines = [f"{'/'.join(odd):>{margin}} {side}{mark_odd(points, num_columns)}"] if odd else []
    if finite:
        fraction = choose_scale(finite)
        dots, others = (set(connect(one, fraction, 2 * num_columns - 1, 2 * height - 1)) for one in (points, other))
        rows = draw_dots(dots, others, num_columns, height, is_unicode=is_unicode)
        lines += [f"{label:>{margin}} {side}{row}" for label, row in zip(labels, rows, strict=True)]
    ends = f"step {points[0].step}", f"{points[-1].step}" if points[-1].step > points[0].step else ""
    at = None if mark is None else place_steps(points, num_columns - 1)(mark)
    marked = "".join(MARKS[is_unicode] if i == at else line for i in range(num_columns))
    axis = f"{'':{margin}} {corner}{marked}"
    return [
        *(text.rstrip() for text in lines),
        axis,
        f"{'':{margin + 2}}{ends[0]} {ends[1]:>{num_columns - len(ends[0]) - 1}}",
    ]


def draw_dots(dots: Dots, others: Dots, num_columns: int, height: int, *, is_unicode: bool) -> Iterator[str]:
    """Yield the rows of the plot; each character has two by two dots, of the second curve only where no other are."""
    for row in range(height):
        cells = ([(2 * column + x, 2 * row + y) for y in (0, 1) for x in (0, 1)] for column in range(num_columns))
        bits = ((sum((place in dots) << i for i, place in enumerate(cell)), cell) for cell in cells)
        yield "".join(
            DOTS[is_unicode] if not own and not others.isdisjoint(cell) else QUARTERS[is_unicode][own]
            for own, cell in bits
        )


def connect(
    points: Sequence[Point], fraction: Callable[[float], float], right: int, bottom: int
) -> Iterator[tuple[int, int]]:
    """Yield the dots of straight lines from point to point; a value that is not finite interrupts them."""
    if not points:
        return
    column = place_steps(points, right)
    places = [
        (column(point.step), round((1 - fraction(point.value)) * bottom)) if math.isfinite(point.value) else None
        for point in points
    ]
    yield from (place for place in places if place is not None)
    for start, end in pairwise(places):
        if start is not None and end is not None:
            length = max(abs(end[0] - start[0]), abs(end[1] - start[1]), 1)
            for i in range(1, length):
                yield tuple(round(a + (b - a) * i / length) for a, b in zip(start, end, strict=True))  # type: ignore[misc]


def mark_odd(points: Sequence[Point], num_columns: int) -> str:
    """Return a line with a cross above each value that is not finite."""
    column = place_steps(points, num_columns - 1)
    marked = {column(point.step) for point in points if not math.isfinite(point.value)}
    return "".join("x" if i in marked else " " for i in range(num_columns))


def place_steps(points: Sequence[Point], right: int) -> Callable[[int], int]:
    """Return what places a step between 0 and `right`, also one that a damaged trace puts beyond the ends."""
    first, last = points[0].step, points[-1].step
    return lambda step: min(max(round((step - first) * right / max(1, last - first)), 0), right)


def is_logarithmic(values: Sequence[float]) -> bool:
    """Whether finite values are drawn on a logarithmic scale."""
    return min(values) > 0 and max(values) / LOG_RATIO > min(values)


def choose_scale(values: Sequence[float]) -> Callable[[float], float]:
    """Return a function that maps a value to 0 for the lowest and 1 for the highest."""
    warp = math.log if values and is_logarithmic(values) else float
    # Halves, so that the span of the largest numbers is not infinite.
    low, high = (warp(bound(values)) / 2 if values else 0.0 for bound in (min, max))
    return lambda value: (warp(value) / 2 - low) / (high - low) if high > low else 0.5


def label_rows(values: Sequence[float], height: int) -> list[str]:
    """Return what stands beside each row: the highest value, one in the middle, the lowest."""
    low, high = min(values), max(values)
    middle = math.sqrt(low) * math.sqrt(high) if is_logarithmic(values) else low / 2 + high / 2
    if high == low:
        return [format_value(low) if row == height // 2 else "" for row in range(height)]
    num_digits = next((n for n in range(4, 17) if f"{low:.{n}g}" != f"{high:.{n}g}"), 17)
    texts = {0: high, height // 2: middle, height - 1: low}
    return [f"{texts[row]:.{num_digits}g}" if row in texts else "" for row in range(height)]


def draw_bars(values: Sequence[float], *, width: int, is_unicode: bool) -> str:
    """Return one line of bars, one per value or, if there are more than `width`, at even distances."""
    bars = BARS[is_unicode]
    chosen = values if len(values) <= width else [values[i * (len(values) - 1) // (width - 1)] for i in range(width)]
    fraction = choose_scale([value for value in values if math.isfinite(value)])
    return "".join(
        bars[min(int(fraction(value) * len(bars)), len(bars) - 1)] if math.isfinite(value) else "x" for value in chosen
    )


def format_value(value: float) -> str:
    """Return a number in few characters."""
    return f"{value:.4g}"

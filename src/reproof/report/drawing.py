"""Bars and lines of the page as SVG: drawn here, so that they are there without a script and on paper."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reproof.report.records import NUM_BINS

if TYPE_CHECKING:
    from markupsafe import Markup

    from reproof.report.records import BatchRow, SourceRow
    from reproof.report.reruns import SpreadRow

MAX_DRAWN: Final = 48
CELL: Final = 34
ROW: Final = 92


def draw_bar(share: float, label: str = "", *, is_known: bool = True, is_share: bool = False) -> Markup:
    """Return a bar that is blue as far as runs are equal, and orange from there on.

    The share is from 0 to 1. What is not known has the colour of what was not compared. With `is_share` it is orange as
    far as that, instead, and nothing from there on. Without a label it is decoration.
    """
    from markupsafe import Markup, escape

    equal = 1000 if not is_known else round(1000 * max(0.0, min(1.0, share)), 1)
    role = f'role="img" aria-label="{escape(label)}"' if label else 'aria-hidden="true"'
    states = ("differs", "") if is_share else ("same" if is_known else "unknown", "differs")
    return Markup(  # noqa: S704  # numbers, and an escaped label
        f'<svg class="bar" viewBox="0 0 1000 10" preserveAspectRatio="none" {role}>'
        f'<rect class="{states[0]}" x="0" y="0" width="{equal}" height="10"/>'
        f'<rect class="{states[1] or "empty"}" x="{equal}" y="0" width="{1000 - equal}" height="10"/></svg>'
    )


def draw_batch(batch: BatchRow) -> Markup:
    """Return the samples of both runs as two rows, each sample's places joined by a line."""
    from markupsafe import Markup, escape

    start, stop = _choose_part(batch)
    a, b = batch.baseline[start:stop], batch.candidate[start:stop]
    later: dict[str, list[int]] = {}
    for position, name in enumerate(b):
        later.setdefault(name, []).append(position)
    lines, moved_a, moved_b = [], set(range(len(a))), set(range(len(b)))
    for position, name in enumerate(a):
        if not later.get(name):
            continue
        places = later[name]
        other = places.pop(places.index(position) if position in places else 0)
        is_same = other == position and start + position not in batch.changed
        if is_same:
            moved_a.discard(position)
            moved_b.discard(other)
        lines.append(_draw_line(position, other, "same" if is_same else "differs"))
    cells = [_draw_cell(i, 0, str(escape(name)), differs=i in moved_a) for i, name in enumerate(a)]
    cells += [_draw_cell(i, ROW, str(escape(name)), differs=i in moved_b) for i, name in enumerate(b)]
    width = CELL * max(len(a), len(b), 1)
    return Markup(  # noqa: S704  # numbers, and escaped names
        f'<svg class="batch" width="{width}" height="{ROW + 24}" viewBox="0 0 {width} {ROW + 24}" role="img" '
        f'aria-label="{escape(batch.told)}">{"".join(lines)}{"".join(cells)}</svg>'
    )


def draw_spread(spread: SpreadRow, *, is_same: bool) -> Markup:
    """Return a metric on a line: the bundle's value, its margin and replicates, and the value that came again."""
    from markupsafe import Markup

    margin = spread.margin or 0.0
    values = [*spread.replicates, spread.reproduced, spread.original - margin, spread.original + margin]
    low, high = min(values), max(values)
    size = (high - low) or 1.0

    def place(value: float) -> float:
        return round(20 + 360 * (value - low) / size if high > low else 200.0, 1)

    left, right, middle, again = map(
        place, (spread.original - margin, spread.original + margin, spread.original, spread.reproduced)
    )
    dots = "".join(f'<circle class="replicate" cx="{place(value)}" cy="16" r="4"/>' for value in spread.replicates)
    state = "same" if is_same else "differs"
    told = f"bundle {spread.original:.9g}, reproduced {spread.reproduced:.9g}"
    told += f", margin {margin:.3g}" if spread.margin else ""
    told += f", {len(spread.replicates)} replicates" if spread.replicates else ""
    return Markup(  # noqa: S704  # numbers
        f'<svg class="spread" viewBox="0 0 400 32" role="img" aria-label="{told}">'
        f'<rect class="margin" x="{left}" y="6" width="{round(right - left, 1)}" height="20"/>'
        f'<path class="axis" d="M20 16H380"/>{dots}<path class="original" d="M{middle} 4V28"/>'
        f'<path class="{state}" d="M{again} 8l8 8l-8 8l-8 -8z"/></svg>'
    )


def draw_timeline(row: SourceRow) -> Markup:
    """Return when something was read, from the first step to the last: as high as there are reads, orange if differing.

    A piece of the run in which one read differs is orange, and none with a read is lower than a quarter.
    """
    from markupsafe import Markup

    most = max((reads for _, reads, _ in row.bins), default=1)
    bars: dict[str, list[str]] = {"same": [], "differs": []}
    for number, reads, differing in row.bins:
        tall = round(16 * max(0.25, reads / most), 1)
        bars["differs" if differing else "same"].append(f"M{number * 10} {16 - tall}h9v{tall}h-9z")
    drawn = "".join(f'<path class="{state}" d="{"".join(parts)}"/>' for state, parts in bars.items() if parts)
    told = (
        f"{sum(reads for _, reads, _ in row.bins):,} reads, {sum(apart for _, _, apart in row.bins):,} of them differ"
    )
    return Markup(  # noqa: S704  # numbers
        f'<svg class="timeline" viewBox="0 0 {10 * NUM_BINS} 16" preserveAspectRatio="none" role="img" '
        f'aria-label="{told}"><path class="axis" d="M0 15.5H{10 * NUM_BINS}"/>{drawn}</svg>'
    )


def _choose_part(batch: BatchRow) -> tuple[int, int]:
    """Return which samples are drawn: as many as fit, with the first that differs among them."""
    count = max(len(batch.baseline), len(batch.candidate))
    pairs = enumerate(zip(batch.baseline, batch.candidate, strict=False))
    moved = next((i for i, (x, y) in pairs if x != y), count)
    first = min(moved, min(batch.changed, default=count))
    start = 0 if first < MAX_DRAWN - 4 else first - 4
    return start, min(count, start + MAX_DRAWN)


def _draw_line(x: int, y: int, state: str) -> str:
    one, other, middle = CELL * x + CELL // 2, CELL * y + CELL // 2, 12 + ROW // 2
    return f'<path class="{state}" d="M{one} 24C{one} {middle} {other} {middle} {other} {ROW}"/>'


def _draw_cell(position: int, top: int, name: str, *, differs: bool) -> str:
    state = "differs" if differs else "same"
    left = CELL * position
    return (
        f'<rect class="{state}" x="{left + 1.5}" y="{top + 0.5}" width="{CELL - 3}" height="23" rx="3"/>'
        f'<text class="{state}" x="{left + CELL / 2}" y="{top + 16}" text-anchor="middle">{name[:5]}</text>'
    )

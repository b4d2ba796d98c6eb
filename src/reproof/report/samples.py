"""The samples of the batch in which two runs part, beside each other: images as thumbnails, signals as small plots."""

from __future__ import annotations

import base64
import math
import struct
import zlib
from typing import TYPE_CHECKING, Final

from reproof.errors import TraceError
from reproof.report.experiments import BASELINE, has_agreed
from reproof.report.records import SampleRow
from reproof.trace import open_trace
from reproof.trace.probes import KeptSamples, read_samples

if TYPE_CHECKING:
    from array import array
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from markupsafe import Markup

    from reproof.report.experiments import Experiment
    from reproof.report.records import BatchRow
    from reproof.schema import Difference

MAX_SHOWN: Final = 12
PNG: Final = b"\x89PNG\r\n\x1a\n"
GREY: Final = struct.pack(">BBBBB", 8, 0, 0, 0, 0)
"""The end of a PNG's header: eight bits, shades of grey."""

WIDTH: Final = 160
HEIGHT: Final = 64


def read_pictures(
    experiments: Iterable[Experiment], first: Difference, runs: Iterable[Path] = ()
) -> tuple[KeptSamples, KeptSamples] | None:
    """Return the samples of both runs.

    None unless they or, of each, an experiment that equals it have kept them of the step in which they part.
    """
    own = [kept for run in runs if (kept := _read(run, first)) is not None and kept.step == first.step]
    found = dict(zip((True, False), own, strict=False)) | {
        experiment.reference == BASELINE: kept
        for experiment in experiments
        if has_agreed(experiment) and (kept := _read(experiment.trace, first)) is not None
    }
    if len(found) < len((True, False)):
        return None
    a, b = found[True], found[False]
    return (a, b) if (a.name, a.height, a.width) == (b.name, b.height, b.width) else None


def _read(trace: Path, first: Difference) -> KeptSamples | None:
    try:
        run = open_trace(trace).of_process(first.process)
        return None if run is None else read_samples(run.folder, first.rank)
    except TraceError:
        return None


def pair_samples(pictures: tuple[KeptSamples, KeptSamples] | None, batch: BatchRow | None) -> Iterator[SampleRow]:
    """Yield the first samples that differ, place by place; none if they were not kept."""
    if pictures is None:
        return
    a, b = pictures
    size = a.height * a.width
    names = [] if batch is None else [batch.baseline, batch.candidate]
    shown = 0
    for place in range(min(a.count, b.count)):
        x, y = (one.values[place * size : (place + 1) * size] for one in pictures)
        if x.tobytes() == y.tobytes():
            continue
        told = [side[place] if place < len(side) else "" for side in names]
        yield SampleRow(
            place=place,
            name=" / ".join(dict.fromkeys(filter(None, told))),
            height=a.height,
            width=a.width,
            baseline=_pack(x),
            candidate=_pack(y),
        )
        shown += 1
        if shown == MAX_SHOWN:
            return


def _pack(values: array[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode("ascii")


def draw_sample(row: SampleRow) -> Markup:
    """Return both runs' sample: two thumbnails on one scale of grey, or two curves in one plot."""
    from markupsafe import Markup, escape

    sides = [_unpack(text) for text in (row.baseline, row.candidate)]
    finite = [value for side in sides for value in side if math.isfinite(value)]
    low, high = min(finite, default=0.0), max(finite, default=0.0)
    told = escape(f"sample {row.name or row.place}: baseline and candidate")
    if row.height > 1:
        drawn = "".join(
            f'<img alt="{told if number == 0 else ""}" src="data:image/png;base64,{_draw_image(side, row, low, high)}">'
            for number, side in enumerate(sides)
        )
        return Markup(drawn)  # noqa: S704  # base64, and an escaped name
    paths = "".join(
        f'<path class="{state}" d="{_draw_path(side, low, high)}"/>'
        for state, side in zip(("baseline", "candidate"), sides, strict=True)
    )
    return Markup(  # noqa: S704  # numbers, and an escaped name
        f'<svg class="signal" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{told}">{paths}</svg>'
    )


def _unpack(text: str) -> Sequence[float]:
    data = base64.b64decode(text)
    return struct.unpack(f"<{len(data) // 4}f", data)


def _draw_image(values: Sequence[float], row: SampleRow, low: float, high: float) -> str:
    """Return a PNG in base64; what is not finite is black."""
    scale = 255 / (high - low) if high > low else 0.0
    pixels = bytes(round((value - low) * scale) if math.isfinite(value) else 0 for value in values)
    lines = b"".join(b"\0" + pixels[start : start + row.width] for start in range(0, len(pixels), row.width))
    parts = (
        (b"IHDR", struct.pack(">II", row.width, row.height) + GREY),
        (b"IDAT", zlib.compress(lines, 9)),
        (b"IEND", b""),
    )
    chunks = (struct.pack(">I", len(data)) + kind + data + _sum_up(kind + data) for kind, data in parts)
    return base64.b64encode(PNG + b"".join(chunks)).decode("ascii")


def _sum_up(data: bytes) -> bytes:
    return struct.pack(">I", zlib.crc32(data))


def _draw_path(values: Sequence[float], low: float, high: float) -> str:
    """Return a curve through the points that are finite."""
    step, span = WIDTH / max(1, len(values) - 1), (high - low) or 1.0
    points: list[str] = []
    for number, value in enumerate(values):
        if math.isfinite(value):
            begins = not points or not math.isfinite(values[number - 1])
            height = 2 + (HEIGHT - 4) * (high - value) / span
            points.append(f"{'M' if begins else 'L'}{number * step:.1f} {height:.1f}")
    return "".join(points)

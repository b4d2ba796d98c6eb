"""Samples of both runs beside each other: only those that differ, only of experiments that equal their runs."""

from __future__ import annotations

import base64
import re
import zlib
from array import array
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from reproof.report.experiments import Experiment
from reproof.report.records import BatchRow
from reproof.report.samples import draw_sample, pair_samples, read_pictures
from reproof.schema import Difference
from reproof.trace.probes import KeptSamples, write_samples

if TYPE_CHECKING:
    from pathlib import Path

FIRST = Difference(rank=0, step=2, stage="batch", detail="content", name="x", baseline="a", candidate="b")
BATCH = BatchRow(name="loader0(9)", told="", baseline=("7", "<b>"), candidate=("7", "<b>"))


def keep(*values: float, height: int = 1) -> KeptSamples:
    """Return two samples."""
    width = len(values) // 2 // height
    return KeptSamples(name="x", count=2, height=height, width=width, values=array("f", values))


@pytest.fixture
def experiments(run: Any) -> list[Experiment]:
    """Return an experiment of each run that has kept samples."""
    made = []
    for number, reference in ((1, "the baseline"), (2, "the candidate")):
        trace: Path = run(f"e{number}")
        write_samples(trace, 0, keep(0, 1, 2, 3 + number))
        made.append(
            Experiment(
                number=number,
                purpose="",
                seconds=1.0,
                trace=trace,
                window=3,
                first=None,
                problem=None,
                reference=reference,
            )
        )
    return made


def test_only_experiments_that_equal_their_runs_are_shown(experiments: list[Experiment]) -> None:
    """Of one that parted before, nobody knows whose samples they are."""
    pictures = read_pictures(experiments, FIRST)
    assert pictures is not None
    assert [one.values[-1] for one in pictures] == [4, 5]
    assert read_pictures([experiments[0], replace(experiments[1], first=FIRST)], FIRST) is None
    assert read_pictures(experiments[:1], FIRST) is None


def test_samples_that_the_runs_kept_themselves_are_shown_if_of_this_step(run: Any) -> None:
    """Those of another step tell nothing of where they part."""
    runs = [run("a"), run("b")]
    for step in (2, 1):
        for number, trace in enumerate(runs):
            write_samples(trace, 0, replace(keep(0, 1, 2, number), step=step))
        pictures = read_pictures((), FIRST, runs)
        assert [one.values[-1] for one in pictures or ()] == ([0, 1] if step == FIRST.step else [])
    write_samples(runs[0], 0, replace(keep(0, 1, 2, 3), step=2))
    assert read_pictures((), FIRST, runs) is None


def test_only_samples_that_differ_are_shown() -> None:
    """With their indices."""
    (row,) = pair_samples((keep(0, 1, 2, 3), keep(0, 1, 2, 4)), BATCH)
    assert (row.place, row.name, row.height, row.width) == (1, "<b>", 1, 2)
    drawn = draw_sample(row)
    assert drawn.count("<path") == 2
    assert "<b>" not in drawn


def test_an_image_is_a_picture_of_its_pixels() -> None:
    """On one scale for both runs; what is not finite is black."""
    (row,) = pair_samples(
        (keep(0, 0, 0, 0, 0, 1, 2, 1, height=2), keep(0, 0, 0, 0, 0, 4, float("nan"), 1, height=2)), None
    )
    pictures = [base64.b64decode(text) for text in re.findall('base64,([^"]+)', draw_sample(row))]
    lines = [zlib.decompress(one[one.index(b"IDAT") + 4 :]) for one in pictures]
    assert lines == [bytes([0, 0, 64, 0, 128, 64]), bytes([0, 0, 255, 0, 0, 64])]
    assert [one[16:24] for one in pictures] == [bytes([0, 0, 0, 2]) * 2] * 2

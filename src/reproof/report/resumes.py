"""A resumed training beside the uninterrupted one: its verdict, and what is missing after resuming."""

from __future__ import annotations

from array import array
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from reproof.report.records import Span, VerdictRow
from reproof.report.reruns import MissingRow, ResumeRow
from reproof.report.verdicts import GLYPHS, say_verdict
from reproof.schema.telling import as_sentence, plural
from reproof.trace.rank import RankTrace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Literal

    from reproof.report.records import Report
    from reproof.schema import Comparison

SIDES: Final = ("uninterrupted", "resumed")

PIECES: Final = {
    "model": "parameters of the model",
    "buffers": "buffers of the model",
    "rng": "the state of a random number generator",
    "loader-generator": "the state of a loader's generator",
    "sampler-position": "the place in the data",
    "accumulated-gradients": "accumulated gradients",
    "scaler": "the state of the gradient scaler",
    "optimizer": "the state of the optimizer",
    "scheduler": "the state of the learning rate schedule",
    "ema": "averaged weights",
    "counter": "a count of steps or epochs",
    "other": "state outside of the checkpoint",
}
"""Pieces of state in words."""


class Shift(NamedTuple):
    """How a run stands to another that began earlier: what it prints and reads is of another part of the training.

    Attributes:
        start: Step of the other run that is this one's first.
        models: What its models are called there, where that is another name.
    """

    start: int = 0
    models: Mapping[str, str] = MappingProxyType({})


NO_SHIFT: Final = Shift()


class ShiftedRank(RankTrace):
    """What a run recorded, by the steps and models of another; batches have the names of any loader."""

    def __init__(self, trace: RankTrace, shift: Shift = NO_SHIFT) -> None:
        """Read the same files."""
        super().__init__(trace.folder, trace.rank)
        self._start = shift.start
        self.layouts = [
            layout._replace(
                events=tuple(event._replace(name=event.plain_name).with_model(shift.models) for event in layout.events)
            )
            for layout in self.layouts
        ]

    @property
    def num_steps(self) -> int:
        """The step before which the last one ends."""
        return super().num_steps + self._start

    def find_step(self, step: int) -> range:
        """Return the frames of a step; none if this run did not take it."""
        return super().find_step(step - self._start)

    def column(self, name: Literal["values_end", "step", "layout"], start: int, stop: int) -> array[int]:
        """Return one field of the records of frames."""
        column = super().column(name, start, stop)
        return array(column.typecode, (step + self._start for step in column)) if name == "step" else column


def add_resume(report: Report, comparison: Comparison, found: Mapping[str, Any]) -> Report:
    """Return a report whose verdict is that on resuming.

    The comparison is in the steps of the uninterrupted run; `found` is as its JSON tells it.
    """
    row = ResumeRow(
        interrupted_at=found["interrupted_at"],
        continues_at=found["continues_at"],
        num_restored=found["restored"],
        missing=tuple(
            MissingRow(piece=one["piece"], words=PIECES.get(one["piece"], one["piece"]), why=one["why"], fix=one["fix"])
            for one in found["missing"]
        ),
    )
    verdict = VerdictRow(
        verdict=comparison.verdict,
        glyph=GLYPHS[comparison.verdict],
        headline=_say_headline(comparison, row),
        meaning=tuple(_explain(comparison, row)),
        equal_share=report.verdict.equal_share,
        bar_label=report.verdict.bar_label,
    )
    return replace(report, verdict=verdict, resume=row, sides=SIDES)


def _say_headline(comparison: Comparison, row: ResumeRow) -> str:
    if comparison.verdict == "diverged":
        return say_verdict(comparison, "Resumed, the training parts from the uninterrupted one")
    if comparison.verdict == "identical":
        return "Resumed, the training goes on to the bit."
    return (
        "Whether the training resumes cannot be told."
        if row.continues_at is None
        else "No difference was found after resuming, but not everything was compared."
    )


def _explain(comparison: Comparison, row: ResumeRow) -> Iterator[Span]:
    if row.continues_at is None:
        yield Span(as_sentence("; ".join(comparison.structure)))
        return
    after = plural(row.interrupted_at or 0, "step")
    yield Span(f"Interrupted after {after}, resumed at step {row.continues_at:,}. ")
    if comparison.first is not None:
        yield Span("What is missing is not known." if not row.missing else "Missing: ")
        yield Span(", ".join(one.words for one in row.missing) + "." if row.missing else "", "strong")
    else:
        yield Span(f"{plural(comparison.num_events, 'event')} of {plural(comparison.num_steps, 'step')}", "strong")
        yield Span(f" from there on are equal, {plural(comparison.num_tensors, 'tensor')} in all.")

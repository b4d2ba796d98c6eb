"""Say how one event differs, as far as the numbers kept in the traces can tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reproof.closeness import (
    Measured,
    Number,
    explain_exact,
    explain_order,
    explain_samples,
    explain_statistics,
    measure,
    show_values,
)
from reproof.schema import Difference, Event, Numbers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reproof.comparison.tally import Pair, Place
    from reproof.trace import RankTrace


class PairReader:
    """Reads what both traces of one process have kept of a differing event."""

    def __init__(self, baseline: RankTrace, candidate: RankTrace) -> None:
        """Read from these traces."""
        self._traces = (baseline, candidate)
        self._last: list[tuple[int, dict[tuple[int, str], Numbers]]] = [(-1, {}), (-1, {})]

    def numbers(self, pair: Pair, kind: str) -> tuple[Numbers, Numbers] | None:
        """Return the numbers of one kind of both sides, or None unless both have them."""
        baseline = self._read(0, pair.baseline.frame).get((pair.baseline.position, kind))
        candidate = self._read(1, pair.candidate.frame).get((pair.candidate.position, kind))
        return None if baseline is None or candidate is None else (baseline, candidate)

    def _read(self, side: int, frame: int) -> dict[tuple[int, str], Numbers]:
        """Return the numbers of a frame; those of the last one are kept, since its events are asked for in turn."""
        known, numbers = self._last[side]
        if known != frame:
            numbers = self._traces[side].numbers(frame)
            self._last[side] = (frame, numbers)
        return numbers

    def describe(self, pair: Pair) -> Difference:
        """Return the difference in the words of the glossary."""
        exact = self.numbers(pair, "exact")
        samples = self.numbers(pair, "samples")
        measured: Measured | None = None
        shown = self._digests(pair)
        explanation = None
        if pair.event.detail == "order" and exact is not None:
            explanation = explain_order(exact[0].values, exact[1].values)
            shown = (show_values(exact[0].values), show_values(exact[1].values))
        elif exact is not None:
            measured = measure(*exact)
            explanation = explain_exact(exact[0].values, exact[1].values, measured)
            shown = (show_values(exact[0].values), show_values(exact[1].values))
        elif samples is not None:
            indices = self._indices(pair.baseline)
            explanation = explain_samples(samples[0].values, samples[1].values, indices)
        if explanation is None and (statistics := self.numbers(pair, "statistics")) is not None:
            explanation = explain_statistics(*statistics)
        return Difference(
            rank=self._traces[0].rank,
            step=pair.step,
            stage=pair.event.stage,
            detail=pair.event.detail,
            name=pair.event.name,
            baseline=shown[0],
            candidate=shown[1],
            explanation=explanation,
            num_differing=None if measured is None else measured.num_differing,
            num_elements=None if measured is None else measured.num_elements,
            max_abs=None if measured is None else measured.max_abs,
            max_ulp=None if measured is None else measured.max_ulp,
        )

    def count_before(self, pair: Pair) -> int:
        """Return how many events, other than initial states, the baseline recorded before one.

        An initial state itself has its position in the frame: it was recorded at some time within the step.
        """
        trace, place = self._traces[0], pair.baseline
        count = sum(times * count_timed(layout.events) for layout, times in trace.count_layouts(place.frame))
        if pair.event.stage == "init":
            return count + place.position
        return count + count_timed(trace.frame(place.frame).layout.events[: place.position])

    def _digests(self, pair: Pair) -> tuple[str, str]:
        baseline, candidate = (
            trace.frame(place.frame).digest(place.position).hex()
            for trace, place in zip(self._traces, (pair.baseline, pair.candidate), strict=True)
        )
        return baseline, candidate

    def _indices(self, place: Place) -> Sequence[Number]:
        """Return the indices of the batch that this content belongs to, if they were recorded just before it."""
        frame = self._traces[0].frame(place.frame)
        numbers = self._read(0, place.frame)
        for position in range(place.position, -1, -1):
            if is_order_of(frame.layout.events[position], frame.layout.events[place.position]):
                kept = numbers.get((position, "exact"))
                return () if kept is None else kept.values
        return ()


def is_order_of(order: Event, content: Event) -> bool:
    """Whether an event tells the indices of the batch to which another belongs."""
    return order.detail == "order" and content.name.startswith(order.name.removesuffix(" indices"))


def count_timed(events: Sequence[Event]) -> int:
    """Return how many of these events stand where they were recorded: initial states are put to the front of a step."""
    return sum(event.stage != "init" for event in events)

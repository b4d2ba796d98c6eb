"""Find what differs between the traces of one process: first by bisection, then event by event.

Two traces of a million steps take a fraction of a millisecond until the first difference is known, because each frame
carries a hash over all before it. What comes after it is counted as arrays (`tables`) where the structure is the same,
and elsewhere aligned by step, stage, name and occurrence, so that an extra event does not shift all others.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from functools import cache
from itertools import starmap, takewhile
from typing import TYPE_CHECKING

from reproof.comparison.calls import Call, Found, count_beside, match_calls, split_step
from reproof.comparison.snapshots import is_state
from reproof.comparison.steps import make_states
from reproof.comparison.tables import has_equal_calls, tally_tables
from reproof.comparison.tally import Extra, Pair, Place, Tally
from reproof.comparison.verification import check_equal_digests
from reproof.schema import DIFFERENT, EQUAL, NOT_COMPARED

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from reproof.schema import Event, Frame, Stage
    from reproof.trace import RankTrace

Key = tuple["Stage", str, "str | None", int]
"""What an event is found by within a step: stage, name, detail, and how many of these came before."""

MAX_ALIGNED_STEPS = 64
"""Steps aligned one by one before arrays are tried again, in runs whose structure is never the same."""

Index = dict[Key, Found]


def find_first_difference(a: RankTrace, b: RankTrace) -> int:
    """Return the index of the first frame that differs, or the length of the shorter trace if none does."""
    return bisect_left(range(min(len(a), len(b))), True, key=lambda i: a.chain(i) != b.chain(i))  # noqa: FBT003


def tally_differences(a: RankTrace, b: RankTrace, limit: int, *, maps_steps: bool = False) -> Tally:
    """Compare two traces of one process and count what differs.

    At most `limit` differing events are kept with their places; `maps_steps` also tells what became of each step and
    stage. Raises TraceError if a frame that is looked at is damaged.
    """
    tally = Tally(limit, make_states(a, b) if maps_steps else None)
    first = find_first_difference(a, b)
    for trace in (a, b):
        if first < len(trace):
            trace.check_frame(first)
    check_equal_digests(a, b, first)
    start = _begin_step(a, b, first)
    for layout, times in a.count_layouts(start):
        tally.add_compared(layout, times)
    if tally.states is not None:
        tally.states.mark_frames(a, 0, start)
    _tally_from(a, b, start, tally)
    return tally


def _begin_step(a: RankTrace, b: RankTrace, first: int) -> int:
    """Return the first frame of the step of a frame: calls without gradients are matched over the whole step.

    Before the frame both traces are equal, so that the step begins at the same place in both.
    """
    owners = [trace for trace in (a, b) if first < len(trace)]
    if not owners:
        return first
    owner = min(owners, key=lambda trace: trace.record(first).step)
    return min(first, owner.find_step(owner.record(first).step).start)


def _tally_from(a: RankTrace, b: RankTrace, start: int, tally: Tally) -> None:
    """Compare frames from `start` on, up to the end of the shorter trace.

    As arrays where the structure is the same. Where it parts, a step is aligned, and then more and more of them before
    arrays are tried again. A step may begin before `start`: its frames up to there are equal and were counted already.
    """
    at_a = at_b = start
    num_steps = 1
    while at_a < len(a) and at_b < len(b):
        same = tally_tables(a, b, at_a, at_b, tally)
        at_a, at_b = at_a + same, at_b + same
        num_steps = 1 if same else min(2 * num_steps, MAX_ALIGNED_STEPS)
        for _ in range(num_steps):
            if at_a < len(a) and at_b < len(b):
                at_a, at_b = _tally_step(a, b, at_a, at_b, tally)
    if a.num_steps == b.num_steps:
        at_a, at_b = _tally_rest(a, b, at_a, at_b, tally)
    tally.rest = at_a, at_b
    if tally.states is not None:  # the tail of the longer trace
        tally.states.mark_frames(a, at_a, len(a), NOT_COMPARED)
        tally.states.mark_frames(b, at_b, len(b), NOT_COMPARED)


def _tally_rest(a: RankTrace, b: RankTrace, at_a: int, at_b: int, tally: Tally) -> tuple[int, int]:
    """Take the calls that only one run makes after the last step for what they are; return where frames are left."""
    frames_a, frames_b = list(a.frames(at_a)), list(b.frames(at_b))
    if not any(split_step(trace, frames)[1] for trace, frames in ((a, frames_a), (b, frames_b))):
        return at_a, at_b
    _align_step((a, b), a.num_steps, frames_a, frames_b, tally)
    return len(a), len(b)


def _tally_step(a: RankTrace, b: RankTrace, at_a: int, at_b: int, tally: Tally) -> tuple[int, int]:
    """Compare one step, tolerant of events that only one trace has, and return the frames after it."""
    step = min(a.record(at_a).step, b.record(at_b).step)
    frames_a, frames_b = _read_step(a, at_a, step), _read_step(b, at_b, step)
    pairs = list(zip(frames_a, frames_b, strict=False))
    if _have_equal_layouts(frames_a, frames_b) and (tally.has_parted or all(starmap(has_equal_calls, pairs))):
        for frame_a, frame_b in pairs:
            _compare_frames(frame_a, frame_b, tally)
    else:
        _align_step((a, b), step, frames_a, frames_b, tally)
    return at_a + len(frames_a), at_b + len(frames_b)


def _read_step(trace: RankTrace, start: int, step: int) -> list[Frame]:
    """Return the frames of a step from `start` on; none if the trace has nothing of it."""
    return list(takewhile(lambda frame: frame.step == step, trace.frames(start)))


def _have_equal_layouts(frames_a: list[Frame], frames_b: list[Frame]) -> bool:
    return [frame.layout.digest for frame in frames_a] == [frame.layout.digest for frame in frames_b]


def _compare_frames(frame_a: Frame, frame_b: Frame, tally: Tally) -> None:
    tally.add_compared(frame_a.layout, 1)
    if tally.states is not None:
        tally.states.mark_layout(frame_a.layout, [frame_a.step])
    if frame_a.digests == frame_b.digests:
        return
    for position, event in enumerate(frame_a.layout.events):
        if event.skipped is None and frame_a.digest(position) != frame_b.digest(position):
            place_a, place_b = Place(frame_a.number, position), Place(frame_b.number, position)
            tally.add_differing(Pair(frame_a.step, event, place_a, place_b))
            _mark(tally, event, frame_a.step, DIFFERENT)


def _align_step(
    traces: tuple[RankTrace, RankTrace], step: int, frames_a: list[Frame], frames_b: list[Frame], tally: Tally
) -> None:
    """Compare the events that both traces have in a step: calls without gradients by what they are, else by name.

    Events are found by stage, name and occurrence.
    """
    others_a, calls_a = split_step(traces[0], frames_a)
    others_b, calls_b = split_step(traces[1], frames_b)
    matching = match_calls(calls_a, calls_b, cache(lambda digest: is_state(traces, digest)))
    tally.add_beside(*count_beside(matching), [sum(len(call.events) for call in calls) for calls in matching.beside])
    comparison = StepComparison(step, tally)
    comparison.compare(_index_events(others_a), _index_events(others_b))
    for call_a, call_b in (*matching.equal, *matching.differing):
        comparison.compare(_index_events(call_a.events), _index_events(call_b.events))
    for calls, is_in_baseline in zip(matching.unknown, (True, False), strict=True):
        for call in calls:
            comparison.add_extras(call.events, is_in_baseline=is_in_baseline)
    comparison.close()
    order = _order_of(others_a, matching.equal, 0), _order_of(others_b, matching.equal, 1)
    if tally.reordered_step is None and _are_reordered(*order):
        tally.reordered_step = step


class StepComparison:
    """What differs in a step, to be told in the order in which it happened."""

    def __init__(self, step: int, tally: Tally) -> None:
        """Start with nothing compared."""
        self._step = step
        self._tally = tally
        self._pairs: list[Pair] = []
        self._extras: list[Extra] = []

    def compare(self, events_a: Index, events_b: Index) -> None:
        """Compare what both have, and note what one has alone."""
        tally = self._tally
        for key, (event, place_a, digest_a) in events_a.items():
            other = events_b.get(key)
            if other is None:
                self._extras.append(Extra(self._step, event, is_in_baseline=True, place=place_a))
                continue
            event_b, place_b, digest_b = other
            if event.skipped is not None or event_b.skipped is not None:
                _mark(tally, event, self._step, NOT_COMPARED)
                continue
            if event.algorithm != event_b.algorithm:
                tally.other_algorithm.add(event.name)
                _mark(tally, event, self._step, NOT_COMPARED)
                continue
            tally.compared[event.stage] += 1
            tally.num_tensors += event.num_tensors
            _mark(tally, event, self._step, EQUAL if digest_a == digest_b else DIFFERENT)
            if digest_a != digest_b:
                self._pairs.append(Pair(self._step, event, place_a, place_b))
        self.add_extras([found for key, found in events_b.items() if key not in events_a], is_in_baseline=False)

    def add_extras(self, events: Iterable[Found], *, is_in_baseline: bool) -> None:
        """Note events that only one of the traces has."""
        self._extras += (Extra(self._step, event, is_in_baseline, place) for event, place, _ in events)

    def close(self) -> None:
        """Count what was found, in its order."""
        for pair in sorted(self._pairs, key=lambda pair: pair.baseline):
            self._tally.add_differing(pair)
        for extra in sorted(self._extras, key=_order_of_extra):
            self._tally.add_extra(extra)
            _mark(self._tally, extra.event, self._step, NOT_COMPARED)


def _order_of_extra(extra: Extra) -> tuple[bool, bool, Place | None]:
    """Return what sorts events that one run has alone: what is left after the training comes last."""
    return extra.event.stage == "final", not extra.is_in_baseline, extra.place


def _mark(tally: Tally, event: Event, step: int, state: int) -> None:
    """Note the state of one event, where states are asked for."""
    if tally.states is not None:
        tally.states.mark(event.stage, step, state)


def _order_of(others: list[Found], equal: list[tuple[Call, Call]], side: int) -> list[Hashable]:
    """Return what stands for the events of a step in their order: those of equal calls count as one."""
    placed: list[tuple[Place, Hashable]] = [(found.place, key) for key, found in _index_events(others).items()]
    placed += ((pair[side].events[0].place, ("call", number)) for number, pair in enumerate(equal))
    return [key for _, key in sorted(placed, key=lambda item: item[0])]


def _are_reordered(order_a: list[Hashable], order_b: list[Hashable]) -> bool:
    """Whether what both have comes in another order."""
    in_a, in_b = set(order_a), set(order_b)
    return [key for key in order_a if key in in_b] != [key for key in order_b if key in in_a]


def _index_events(events: Iterable[Found]) -> Index:
    index: Index = {}
    occurrences: Counter[tuple[Stage, str, str | None]] = Counter()
    for found in events:
        name = (found.event.stage, found.event.name, found.event.detail)
        index[(*name, occurrences[name])] = found
        occurrences[name] += 1
    return index

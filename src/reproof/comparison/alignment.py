"""Find what differs between the traces of one process: first by bisection, then event by event.

Two traces of a million steps take a fraction of a millisecond until the first difference is known, because each frame
carries a hash over all before it. What comes after it is counted as arrays (`tables`) where the structure is the same,
and elsewhere aligned by step, stage, name and occurrence, so that an extra event does not shift all others.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from itertools import takewhile
from typing import TYPE_CHECKING

from reproof.comparison.steps import make_states
from reproof.comparison.tables import tally_tables
from reproof.comparison.tally import Extra, Pair, Place, Tally
from reproof.comparison.verification import check_equal_digests
from reproof.schema import DIFFERENT, EQUAL, NOT_COMPARED

if TYPE_CHECKING:
    from reproof.schema import Event, Frame, Stage
    from reproof.trace import RankTrace

Key = tuple["Stage", str, "str | None", int]
"""What an event is found by within a step: stage, name, detail, and how many of these came before."""

MAX_ALIGNED_STEPS = 64
"""Steps aligned one by one before arrays are tried again, in runs whose structure is never the same."""

Found = dict[Key, tuple["Event", Place, bytes]]


def find_first_difference(a: RankTrace, b: RankTrace) -> int:
    """Return the index of the first frame that differs, or the length of the shorter trace if none does."""
    return bisect_left(range(min(len(a), len(b))), True, key=lambda i: a.chain(i) != b.chain(i))  # noqa: FBT003


def tally_differences(a: RankTrace, b: RankTrace, limit: int, *, maps_steps: bool = False) -> Tally:
    """Compare two traces of one process and count what differs.

    Args:
        a: The baseline.
        b: The candidate.
        limit: How many differing events to keep with their places.
        maps_steps: Whether to tell what became of each step and stage.

    Raises:
        TraceError: If a frame that is looked at is damaged.
    """
    tally = Tally(limit, make_states(a, b) if maps_steps else None)
    first = find_first_difference(a, b)
    for trace in (a, b):
        if first < len(trace):
            trace.check_frame(first)
    check_equal_digests(a, b, first)
    for layout, times in a.count_layouts(first):
        tally.add_compared(layout, times)
    if tally.states is not None:
        tally.states.mark_frames(a, 0, first)
    _tally_from(a, b, first, tally)
    return tally


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
    if tally.states is not None:  # the tail of the longer trace
        tally.states.mark_frames(a, at_a, len(a), NOT_COMPARED)
        tally.states.mark_frames(b, at_b, len(b), NOT_COMPARED)


def _tally_step(a: RankTrace, b: RankTrace, at_a: int, at_b: int, tally: Tally) -> tuple[int, int]:
    """Compare one step, tolerant of events that only one trace has, and return the frames after it."""
    step = min(a.record(at_a).step, b.record(at_b).step)
    frames_a, frames_b = _read_step(a, at_a, step), _read_step(b, at_b, step)
    if _have_equal_layouts(frames_a, frames_b):
        for frame_a, frame_b in zip(frames_a, frames_b, strict=True):
            _compare_frames(frame_a, frame_b, tally)
    else:
        _align_step(step, frames_a, frames_b, tally)
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


def _align_step(step: int, frames_a: list[Frame], frames_b: list[Frame], tally: Tally) -> None:
    """Compare the events that both traces have in a step, by stage, name and occurrence."""
    events_a, events_b = _index_events(frames_a), _index_events(frames_b)
    for key, (event, place_a, digest_a) in events_a.items():
        other = events_b.get(key)
        if other is None:
            tally.add_extra(Extra(step, event, is_in_baseline=True, place=place_a))
            _mark(tally, event, step, NOT_COMPARED)
            continue
        event_b, place_b, digest_b = other
        if event.skipped is not None or event_b.skipped is not None:
            _mark(tally, event, step, NOT_COMPARED)
            continue
        if event.algorithm != event_b.algorithm:
            tally.other_algorithm.add(event.name)
            _mark(tally, event, step, NOT_COMPARED)
            continue
        tally.compared[event.stage] += 1
        tally.num_tensors += event.num_tensors
        _mark(tally, event, step, EQUAL if digest_a == digest_b else DIFFERENT)
        if digest_a != digest_b:
            tally.add_differing(Pair(step, event, place_a, place_b))
    for key, (event, place_b, _) in events_b.items():
        if key not in events_a:
            tally.add_extra(Extra(step, event, is_in_baseline=False, place=place_b))
            _mark(tally, event, step, NOT_COMPARED)
    if tally.reordered_step is None and _are_reordered(events_a, events_b):
        tally.reordered_step = step


def _mark(tally: Tally, event: Event, step: int, state: int) -> None:
    """Note the state of one event, where states are asked for."""
    if tally.states is not None:
        tally.states.mark(event.stage, step, state)


def _are_reordered(
    events_a: dict[Key, tuple[Event, Place, bytes]], events_b: dict[Key, tuple[Event, Place, bytes]]
) -> bool:
    """Whether the events that both have come in another order."""
    return [key for key in events_a if key in events_b] != [key for key in events_b if key in events_a]


def _index_events(frames: list[Frame]) -> Found:
    found: Found = {}
    occurrences: Counter[tuple[Stage, str, str | None]] = Counter()
    for frame in frames:
        for position, event in enumerate(frame.layout.events):
            name = (event.stage, event.name, event.detail)
            found[(*name, occurrences[name])] = (event, Place(frame.number, position), frame.digest(position))
            occurrences[name] += 1
    return found

"""Find what differs between the traces of one process: first by bisection, then event by event.

Two traces of a million steps take a fraction of a millisecond until the first difference is known, because each frame
carries a hash over all before it. What comes after it is counted as arrays (`tables`) as far as the structure is the
same, and from there on aligned by step, stage, name and occurrence, so that an extra event does not shift all others.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from typing import TYPE_CHECKING

from reproof.comparison.tables import tally_tables
from reproof.comparison.tally import Extra, Pair, Place, Tally

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reproof.schema import Event, Frame, Stage
    from reproof.trace import RankTrace

Key = tuple["Stage", str, "str | None", int]
"""What an event is found by within a step: stage, name, detail, and how many of these came before."""

Found = dict[Key, tuple["Event", Place, bytes]]


def find_first_difference(a: RankTrace, b: RankTrace) -> int:
    """Return the index of the first frame that differs, or the length of the shorter trace if none does."""
    return bisect_left(range(min(len(a), len(b))), True, key=lambda i: a.chain(i) != b.chain(i))  # noqa: FBT003


def tally_differences(a: RankTrace, b: RankTrace, limit: int) -> Tally:
    """Compare two traces of one process and count what differs.

    Args:
        a: The baseline.
        b: The candidate.
        limit: How many differing events to keep with their places.

    Raises:
        TraceError: If a frame that is looked at is damaged.
    """
    tally = Tally(limit)
    first = tally.num_frames_equal = find_first_difference(a, b)
    for trace in (a, b):
        if first < len(trace):
            trace.check_frame(first)
    for layout, times in a.count_layouts(first):
        tally.add_compared(layout, times)
    _tally_steps(a, b, tally_tables(a, b, first, tally), tally)
    return tally


def _tally_steps(a: RankTrace, b: RankTrace, start: int, tally: Tally) -> None:
    """Compare step by step, tolerant of events that only one trace has."""
    for step, frames_a, frames_b in _pair_steps(a, b, start):
        if _have_equal_layouts(frames_a, frames_b):
            for frame_a, frame_b in zip(frames_a, frames_b, strict=True):
                _compare_frames(frame_a, frame_b, tally)
        else:
            _align_step(step, frames_a, frames_b, tally)


def _pair_steps(a: RankTrace, b: RankTrace, start: int) -> Iterator[tuple[int, list[Frame], list[Frame]]]:
    """Yield the frames of each step that both traces have, from the step of frame `start` on.

    A step may begin before `start`: its frames up to there have equal layouts and were counted already.
    """
    groups_a, groups_b = _group_by_step(a, start), _group_by_step(b, start)
    group_a, group_b = next(groups_a, None), next(groups_b, None)
    while group_a is not None and group_b is not None:
        (step_a, frames_a), (step_b, frames_b) = group_a, group_b
        step = min(step_a, step_b)
        yield step, frames_a if step_a == step else [], frames_b if step_b == step else []
        group_a = next(groups_a, None) if step_a == step else group_a
        group_b = next(groups_b, None) if step_b == step else group_b


def _group_by_step(trace: RankTrace, start: int) -> Iterator[tuple[int, list[Frame]]]:
    group: list[Frame] = []
    for frame in trace.frames(start):
        if group and frame.step != group[0].step:
            yield group[0].step, group
            group = []
        group.append(frame)
    if group:
        yield group[0].step, group


def _have_equal_layouts(frames_a: list[Frame], frames_b: list[Frame]) -> bool:
    return [frame.layout.digest for frame in frames_a] == [frame.layout.digest for frame in frames_b]


def _compare_frames(frame_a: Frame, frame_b: Frame, tally: Tally) -> None:
    tally.add_compared(frame_a.layout, 1)
    if frame_a.digests == frame_b.digests:
        return
    for position, event in enumerate(frame_a.layout.events):
        if event.skipped is None and frame_a.digest(position) != frame_b.digest(position):
            place_a, place_b = Place(frame_a.number, position), Place(frame_b.number, position)
            tally.add_differing(Pair(frame_a.step, event, place_a, place_b))


def _align_step(step: int, frames_a: list[Frame], frames_b: list[Frame], tally: Tally) -> None:
    """Compare the events that both traces have in a step, by stage, name and occurrence."""
    events_a, events_b = _index_events(frames_a), _index_events(frames_b)
    for key, (event, place_a, digest_a) in events_a.items():
        other = events_b.get(key)
        if other is None:
            tally.add_extra(Extra(step, event, is_in_baseline=True))
            continue
        event_b, place_b, digest_b = other
        if event.skipped is not None or event_b.skipped is not None:
            continue
        if event.algorithm != event_b.algorithm:
            tally.other_algorithm.add(event.name)
            continue
        tally.compared[event.stage] += 1
        tally.num_tensors += event.num_tensors
        if digest_a != digest_b:
            tally.add_differing(Pair(step, event, place_a, place_b))
    for key, (event, _, _) in events_b.items():
        if key not in events_a:
            tally.add_extra(Extra(step, event, is_in_baseline=False))
    if tally.reordered_step is None and _are_reordered(events_a, events_b):
        tally.reordered_step = step


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

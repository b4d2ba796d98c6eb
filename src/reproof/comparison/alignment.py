"""Find what differs between the traces of one process: first by bisection, then event by event.

Two traces of a million steps take a fraction of a millisecond until the first difference is known, because each frame
carries a hash over all before it. What comes after it is counted as arrays where the structure is constant,
and otherwise aligned by step, stage, name and occurrence, so that an extra event does not shift all others.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from reproof.schema import DIGEST_BYTES, NO_DIGEST, Event, Frame, Layout, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reproof.trace import RankTrace

CHUNK_FRAMES = 65536
"""Frames counted at a time: bounds the memory of a comparison to some megabytes."""


class Place(NamedTuple):
    """Where an event stands in a trace: frame, and position in the frame's layout."""

    frame: int
    position: int


class Pair(NamedTuple):
    """The same event in both traces."""

    step: int
    event: Event
    baseline: Place
    candidate: Place


class Extra(NamedTuple):
    """An event that only one of the traces has."""

    step: int
    event: Event
    is_in_baseline: bool


class Tally:
    """What a comparison of one process has counted.

    Attributes:
        num_frames_equal: Frames at the start that are equal in every bit.
        num_tensors: Tensors in the events compared.
        compared: Events compared, per stage.
        differing: Events that differ, per stage.
        pairs: The first differing events in execution order, at most `limit`.
        extras: The first events that only one trace has.
        num_extras: How many those are in all, in the steps that both traces have.
        other_algorithm: Names of events that were digested by different algorithms.
    """

    def __init__(self, limit: int) -> None:
        """Keep the first `limit` differing events."""
        self.limit = limit
        self.num_frames_equal = 0
        self.num_tensors = 0
        self.compared: Counter[Stage] = Counter()
        self.differing: Counter[Stage] = Counter()
        self.pairs: list[Pair] = []
        self.extras: list[Extra] = []
        self.num_extras = 0
        self.other_algorithm: set[str] = set()

    def add_equal(self, layout: Layout, times: int) -> None:
        """Count frames of this layout in which nothing differs."""
        self.add_compared(layout, times)

    def add_compared(self, layout: Layout, times: int) -> None:
        """Count the events of frames of this layout as compared; those without a digest are not."""
        for event in layout.events:
            if event.skipped is None:
                self.compared[event.stage] += times
                self.num_tensors += times * event.num_tensors

    def add_differing(self, pair: Pair) -> None:
        """Count an event that differs."""
        self.differing[pair.event.stage] += 1
        if len(self.pairs) < self.limit:
            self.pairs.append(pair)

    def add_extra(self, extra: Extra) -> None:
        """Count an event that only one trace has."""
        self.num_extras += 1
        if len(self.extras) < self.limit:
            self.extras.append(extra)


def find_first_difference(a: RankTrace, b: RankTrace) -> int:
    """Return the index of the first frame that differs, or the length of the shorter trace if none does."""
    return bisect_left(range(min(len(a), len(b))), True, key=lambda i: a.chain(i) != b.chain(i))  # noqa: FBT003


def tally_differences(a: RankTrace, b: RankTrace, limit: int) -> Tally:
    """Compare two traces of one process and count what differs.

    Args:
        a: The baseline.
        b: The candidate.
        limit: How many differing events to keep with their places.
    """
    tally = Tally(limit)
    first = tally.num_frames_equal = find_first_difference(a, b)
    _count_prefix(a, first, tally)
    if first == len(a) and first == len(b):
        return tally
    if has_constant_structure(a, b, first):
        _tally_arrays(a, b, first, tally)
    else:
        _tally_steps(a, b, first, tally)
    return tally


def has_constant_structure(a: RankTrace, b: RankTrace, first: int) -> bool:
    """Whether all frames from `first` on, as far as both traces have them, are one step each and of one layout."""
    if len(a.layouts) != 1 or len(b.layouts) != 1 or a.layouts[0].digest != b.layouts[0].digest:
        return False
    stop = min(len(a), len(b))
    if first >= stop:
        return True
    spans = {(t.record(first).step, t.record(stop - 1).step) for t in (a, b)}
    start, end = next(iter(spans))
    return len(spans) == 1 and end - start == stop - 1 - first


def _count_prefix(a: RankTrace, stop: int, tally: Tally) -> None:
    if len(a.layouts) == 1:
        tally.add_equal(a.layouts[0], stop)
        return
    for number, times in Counter(a.record(i).layout for i in range(stop)).items():
        tally.add_equal(a.layout(number), times)


def _tally_arrays(a: RankTrace, b: RankTrace, first: int, tally: Tally) -> None:
    """Count differences where the digests of both traces form equal arrays."""
    layout, stop = a.layouts[0], min(len(a), len(b))
    width = len(layout.events)
    tally.add_compared(layout, stop - first)
    for start in range(first, stop, CHUNK_FRAMES):
        end = min(start + CHUNK_FRAMES, stop)
        bytes_a, bytes_b = a.digests(start * width, end * width), b.digests(start * width, end * width)
        if bytes_a == bytes_b:
            continue
        for position, equal in enumerate(count_equal_fields(bytes_a, bytes_b, width)):
            tally.differing[layout.events[position].stage] += end - start - equal
        if len(tally.pairs) < tally.limit:
            _keep_pairs(a, layout, (bytes_a, bytes_b), start, tally)


def _keep_pairs(a: RankTrace, layout: Layout, arrays: tuple[bytes, bytes], start: int, tally: Tally) -> None:
    """Keep the places of the first differing digests of two arrays whose first frame is `start`."""
    width, (bytes_a, bytes_b) = len(layout.events), arrays
    for field in range(len(bytes_a) // DIGEST_BYTES):
        where = slice(field * DIGEST_BYTES, (field + 1) * DIGEST_BYTES)
        if bytes_a[where] != bytes_b[where]:
            place = Place(start + field // width, field % width)
            tally.pairs.append(Pair(a.record(place.frame).step, layout.events[place.position], place, place))
            if len(tally.pairs) >= tally.limit:
                return


def count_equal_fields(a: bytes, b: bytes, width: int) -> list[int]:
    """Count, for each column of two tables of digests, the rows in which they are equal.

    Args:
        a: Rows of `width` digests of 16 bytes.
        b: A table of the same size.
        width: Digests per row.

    Returns:
        `width` counts.
    """
    # XOR as two large integers, then search for aligned runs of zero bytes: the standard library's fastest way, and
    # at its best in the usual case that after a divergence nothing is equal any more.
    difference = (int.from_bytes(a, "little") ^ int.from_bytes(b, "little")).to_bytes(len(a), "little")
    equal = [0] * width
    position = difference.find(NO_DIGEST)
    while position != -1:
        if position % DIGEST_BYTES == 0:
            equal[position // DIGEST_BYTES % width] += 1
            position = difference.find(NO_DIGEST, position + DIGEST_BYTES)
        else:
            aligned = position + DIGEST_BYTES - position % DIGEST_BYTES
            position = difference.find(NO_DIGEST, aligned)
    return equal


def _tally_steps(a: RankTrace, b: RankTrace, first: int, tally: Tally) -> None:
    """Compare step by step, tolerant of events that only one trace has."""
    for step, frames_a, frames_b in _pair_steps(a, b, first):
        if _have_equal_layouts(frames_a, frames_b):
            for frame_a, frame_b in zip(frames_a, frames_b, strict=True):
                _compare_frames(frame_a, frame_b, tally)
        else:
            _align_step(step, frames_a, frames_b, tally)


def _pair_steps(a: RankTrace, b: RankTrace, first: int) -> Iterator[tuple[int, list[Frame], list[Frame]]]:
    """Yield the frames of each step that both traces have, from the step of frame `first` on.

    A step whose first frames are equal starts before `first`; those frames were counted already and are left out.
    """
    groups_a, groups_b = _group_by_step(a, first), _group_by_step(b, first)
    group_a, group_b = next(groups_a, None), next(groups_b, None)
    while group_a is not None and group_b is not None:
        (step_a, frames_a), (step_b, frames_b) = group_a, group_b
        step = min(step_a, step_b)
        yield step, frames_a if step_a == step else [], frames_b if step_b == step else []
        group_a = next(groups_a, None) if step_a == step else group_a
        group_b = next(groups_b, None) if step_b == step else group_b


def _group_by_step(trace: RankTrace, first: int) -> Iterator[tuple[int, list[Frame]]]:
    group: list[Frame] = []
    for frame in trace.frames(first):
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
        if frame_a.digest(position) != frame_b.digest(position):
            place_a, place_b = Place(frame_a.number, position), Place(frame_b.number, position)
            tally.add_differing(Pair(frame_a.step, event, place_a, place_b))


Key = tuple[Stage, str, str | None, int]


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


def _index_events(frames: list[Frame]) -> dict[Key, tuple[Event, Place, bytes]]:
    found: dict[Key, tuple[Event, Place, bytes]] = {}
    occurrences: Counter[tuple[Stage, str, str | None]] = Counter()
    for frame in frames:
        for position, event in enumerate(frame.layout.events):
            name = (event.stage, event.name, event.detail)
            found[(*name, occurrences[name])] = (event, Place(frame.number, position), frame.digest(position))
            occurrences[name] += 1
    return found

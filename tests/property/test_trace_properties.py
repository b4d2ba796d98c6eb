"""What holds for all traces: what is written is read, and a comparison finds what a naive one finds."""

from __future__ import annotations

import math
import struct
import tempfile
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from reproof.closeness import measure, same_bits, ulp_distance
from reproof.comparison import compare
from reproof.comparison.tables import count_zero_fields, subtract_tables
from reproof.errors import TraceError
from reproof.schema import NO_DIGEST, Event, Numbers, RunHeader, Stage
from reproof.trace import TraceWriter, open_trace
from reproof.trace import format as fmt


class Told(NamedTuple):
    """One event of a frame, and a number that stands for its content."""

    event: Event
    content: int


class Part(NamedTuple):
    """One frame: step, flags, events."""

    step: int
    flags: int
    events: tuple[Told, ...]


POOL = (
    Event(stage="batch", name="loader0(10) indices", detail="order"),
    Event(stage="batch", name="loader0(10)", detail="content", num_tensors=2),
    Event(stage="batch", name="loader0(10)"),
    Event(stage="loss", name="loss", num_tensors=1),
    Event(stage="update", name="weight", num_tensors=1),
    Event(stage="batch", name="path", skipped="a value of type Path"),
)
events = st.builds(Told, st.sampled_from(POOL), st.integers(0, 3))


@st.composite
def traces(draw: st.DrawFn, max_steps: int = 8) -> list[Part]:
    """Draw the frames of a trace: few layouts or many, steps of one frame or more, steps that are left out."""
    layouts = draw(st.lists(st.lists(st.sampled_from(POOL), max_size=4), min_size=1, max_size=3))
    frames = []
    for step in range(draw(st.integers(0, max_steps))):
        if draw(st.integers(0, 9)) == 9:
            continue
        num_frames = draw(st.sampled_from((1, 1, 1, 2, 3)))
        for number in range(num_frames):
            told = tuple(Told(event, draw(st.integers(0, 3))) for event in draw(st.sampled_from(layouts)))
            frames.append(Part(step, fmt.ENDS_STEP if number == num_frames - 1 else 0, told))
    return frames


def digest(told: Told) -> bytes:
    """Return the digest that is written."""
    return NO_DIGEST if told.event.skipped else xxhash.xxh3_128_digest(told.content.to_bytes(4, "little"))


def write(folder: Path, frames: list[Part]) -> Path:
    """Write a trace."""
    header = RunHeader(
        run_id="ef" * 16,
        status="complete",
        level="batches",
        command=(),
        num_batches=None,
        statistics=False,
        created="2026-01-02T03:04:05+00:00",
    )
    trace = TraceWriter(folder, header)
    for frame in frames:
        ids = tuple(trace.writer.event_id(told.event) for told in frame.events)
        trace.writer.append_frame(ids, b"".join(map(digest, frame.events)), b"", frame.step, frame.flags)
    trace.close()
    return folder


class Naive:
    """Compares two traces in the most obvious way: all events of all steps, one by one."""

    def __init__(self, a: list[Part], b: list[Part]) -> None:
        """Compare the steps up to the end of the shorter trace."""
        self.compared: Counter[Stage] = Counter()
        self.differing: list[tuple[int, Stage, str, str | None]] = []
        self.has_extra = False
        end = min(max((frame.step for frame in frames), default=-1) for frames in (a, b))
        for step in range(end + 1):
            in_a, in_b = self.index(a, step), self.index(b, step)
            self.has_extra |= in_a.keys() != in_b.keys()
            for key, told in in_a.items():
                if key in in_b and not told.event.skipped:
                    self.compared[told.event.stage] += 1
                    if told.content != in_b[key].content:
                        self.differing.append((step, told.event.stage, told.event.name, told.event.detail))

    @staticmethod
    def index(frames: list[Part], step: int) -> dict[tuple[Event, int], Told]:
        """Return the events of a step by what they are and how many of these came before."""
        found: dict[tuple[Event, int], Told] = {}
        for told in (told for frame in frames if frame.step == step for told in frame.events):
            found[told.event, sum(event == told.event for event, _ in found)] = told
        return found


def check_against_naive(a: list[Part], b: list[Part]) -> None:
    """Compare in both ways and check that the answers agree."""
    naive = Naive(a, b)
    with tempfile.TemporaryDirectory() as name:
        comparison = compare(write(Path(name) / "a", a), write(Path(name) / "b", b), max_differences=1000)
    assert {c.stage: c.compared for c in comparison.counts} == naive.compared
    counted = Counter({c.stage: c.differing for c in comparison.counts if c.differing})
    assert counted == Counter(stage for _, stage, _, _ in naive.differing)
    assert [(d.step, d.stage, d.name, d.detail) for d in comparison.differences] == naive.differing
    assert comparison.num_events == sum(naive.compared.values())
    if naive.differing:
        assert comparison.verdict == "diverged"
    elif naive.has_extra or not naive.compared:
        assert comparison.verdict == "inconclusive"


@given(traces())
def test_what_is_written_is_read(frames: list[Part]) -> None:
    """Every frame comes back, the chain holds, and every step is whole."""
    with tempfile.TemporaryDirectory() as name:
        trace = open_trace(write(Path(name) / "a", frames))
        trace.verify()
        read = [(f.step, f.ends_step, f.layout.events, f.digests) for f in trace.ranks[0].frames()]
        names = [tuple(told.event for told in f.events) for f in frames]
        digests = [b"".join(map(digest, f.events)) for f in frames]
        assert read == [(f.step, bool(f.flags), *rest) for f, *rest in zip(frames, names, digests, strict=True)]
        layouts = {tuple(told.event for told in frame.events) for frame in frames}
        assert len(trace.ranks[0].layouts) == len(layouts)


@given(traces(), st.data())
def test_one_changed_digest_is_found(frames: list[Part], data: st.DataObject) -> None:
    """One digest of a copy is changed: that step, stage and name are the first divergence, and nothing else differs."""
    places = [(i, j) for i, f in enumerate(frames) for j, told in enumerate(f.events) if not told.event.skipped]
    if not places:
        check_against_naive(frames, frames)
        return
    index, position = data.draw(st.sampled_from(places))
    changed = change(frames, index, position)
    event = frames[index].events[position].event
    assert [name for _, _, name, _ in Naive(frames, changed).differing] == [event.name]
    check_against_naive(frames, changed)


@given(traces(), st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), max_size=8))
def test_many_changed_digests_are_found(frames: list[Part], places: list[tuple[int, int]]) -> None:
    """All of them, in execution order, with their counts."""
    changed = frames
    for index, position in places:
        if frames and frames[index % len(frames)].events:
            index %= len(frames)  # noqa: PLW2901  # any number stands for a place
            changed = change(changed, index, position % len(frames[index].events))
    check_against_naive(frames, changed)


@given(traces(), traces())
def test_any_two_traces_are_compared(a: list[Part], b: list[Part]) -> None:
    """Whatever the two have or have not in common."""
    check_against_naive(a, b)


@given(traces(), st.data())
def test_events_that_one_run_lacks_shift_nothing(frames: list[Part], data: st.DataObject) -> None:
    """Events taken out of a copy leave all others with their counterparts."""
    kept = [f._replace(events=tuple(told for told in f.events if data.draw(st.booleans()))) for f in frames]
    check_against_naive(frames, kept)


def change(frames: list[Part], index: int, position: int) -> list[Part]:
    """Return a copy in which the content of one event is another."""
    old = frames[index].events
    new = (*old[:position], old[position]._replace(content=old[position].content + 100), *old[position + 1 :])
    return [*frames[:index], frames[index]._replace(events=new), *frames[index + 1 :]]


@given(traces(max_steps=4), st.sampled_from(("names", "digests", "values", "frames", "run.json")), st.data())
@settings(max_examples=200)
def test_any_damage_is_a_shorter_trace_or_one_line(frames: list[Part], part: str, data: st.DataObject) -> None:
    """Bytes replaced, put in, cut out or appended anywhere: no other exception, and no frame that was not written."""
    with tempfile.TemporaryDirectory() as name:
        folder = write(Path(name) / "a", frames)
        written = [(f.step, f.digests) for f in open_trace(folder).ranks[0].frames()]
        path = folder / (part if part == "run.json" else f"rank0.{part}")
        content = path.read_bytes()
        start = data.draw(st.integers(0, len(content)))
        stop = data.draw(st.integers(start, min(len(content), start + 80)))
        path.write_bytes(content[:start] + data.draw(st.binary(max_size=80)) + content[stop:])
        try:
            trace = open_trace(folder)
            trace.explain_incomplete()
            read = [(f.step, f.digests) for f in trace.ranks[0].frames()]
            compare(folder, folder)
        except TraceError as error:
            assert "\n" not in str(error)  # noqa: PT017  # either may happen
            return
        assert part in {"names", "run.json"} or read == written[: len(read)]


@given(st.integers(1, 4), st.data())
def test_equal_fields_are_counted_as_one_by_one(width: int, data: st.DataObject) -> None:
    """Counting on large integers gives what comparing digest by digest gives, whatever bytes are equal by chance."""
    cells = st.sampled_from((bytes(16), b"\x01" + bytes(15), bytes(15) + b"\x01", b"x" * 16, b"\x00" * 8 + b"y" * 8))
    rows = st.lists(st.tuples(cells, cells), min_size=width, max_size=width)
    table = data.draw(st.lists(rows, max_size=12))
    a, b = (b"".join(pair[side] for row in table for pair in row) for side in (0, 1))
    naive = [sum(row[column][0] == row[column][1] for row in table) for column in range(width)]
    assert count_zero_fields(subtract_tables(a, b), width) == naive


FLOATS = {"e": (np.float16, np.uint16), "f": (np.float32, np.uint32), "d": (np.float64, np.uint64)}


@given(st.sampled_from("efd"), st.floats(allow_nan=False, allow_infinity=False), st.integers(0, 40))
def test_ulps_are_the_steps_of_nextafter(typecode: str, start: float, num_steps: int) -> None:
    """So many steps of `numpy.nextafter` are so many units in the last place, through zero and denormals."""
    kind = FLOATS[typecode][0]
    with np.errstate(over="ignore"):
        x = np.nan_to_num(kind(start))
        y = x
        for _ in range(num_steps):
            y = np.nextafter(y, kind(np.inf))
    if not np.isfinite(y):
        return
    # 0.0 and -0.0 are one number, for numpy as for us: a way through zero has one step less than bit patterns.
    assert ulp_distance(float(x), float(y), typecode) == ulp_distance(float(y), float(x), typecode) == num_steps


@given(st.sampled_from("efd"), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_ulps_of_any_bits(typecode: str, x: int, y: int) -> None:
    """Between any two finite floats the distance is a metric that counts numbers in order."""
    kind, bits = FLOATS[typecode]
    floats = [float(np.array(n % 2 ** (8 * bits().itemsize), dtype=bits).view(kind)) for n in (x, y)]
    if not all(math.isfinite(number) for number in floats):
        return
    low, high = sorted(floats)
    distance = ulp_distance(low, high, typecode)
    assert (distance == 0) == (low == high)
    assert distance == ulp_distance(low, 0.0, typecode) + ulp_distance(0.0, high, typecode) or low > 0 or high < 0
    measured = measure(Numbers("exact", typecode, (low,)), Numbers("exact", typecode, (high,)))
    assert measured is not None
    assert measured.max_ulp == (None if same_bits(low, high) else distance)


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_same_bits_are_the_same_bits(x: int, y: int) -> None:
    """Floats are the same if and only if their 64 bits are."""
    floats = [struct.unpack("<d", number.to_bytes(8, "little"))[0] for number in (x, y)]
    assert same_bits(*floats) == (x == y)
    assert same_bits(floats[0], struct.unpack("<d", x.to_bytes(8, "little"))[0])

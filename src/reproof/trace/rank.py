"""Read what one process recorded: random access to any frame, whatever the length, without reading the rest.

The files are memory-mapped. Opening checks the headers, leaves out what a killed process left half-written, and
checks the last frame; `RankTrace.verify` checks every byte.
"""

from __future__ import annotations

import struct
import sys
import zlib
from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from reproof.errors import TraceError
from reproof.schema import DIGEST_BYTES, Event, Frame, Layout, Numbers, NumbersKind
from reproof.trace import format as fmt
from reproof.trace.files import check_header, damaged, map_file
from reproof.trace.names import read_names

if TYPE_CHECKING:
    import mmap
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from reproof.schema import Stage

COLUMNS: Final[dict[str, tuple[Literal["Q", "I"], int]]] = {
    "values_end": ("Q", 16),
    "step": ("Q", 24),
    "layout": ("I", 32),
}
"""Fields of a frame record that are read as arrays: `array` typecode, offset."""

COLUMN_FRAMES: Final = 65536
"""Frames of which a column is read at a time."""


FRAME_PARTS: Final = ("frames", "digests", "values")


class NumbersEntry(NamedTuple):
    """Where one set of numbers lies within the values of a frame.

    Attributes:
        event: Position of the event in the layout.
        kind: What the numbers are.
        typecode: Their type, a `struct` character.
        start: First byte of the numbers.
        num_values: How many they are.
    """

    event: int
    kind: NumbersKind
    typecode: str
    start: int
    num_values: int


class RankTrace:
    """What one process recorded."""

    def __init__(self, folder: Path, rank: int, run_id: bytes | None = None, *, check_last: bool = True) -> None:
        """Open the files of a rank.

        `run_id` has the 16 bytes of the run to which they must belong; None for the one that they agree on. Without
        `check_last` the last frame is not checked: for who looks for the end of damage (`reproof.trace.views.salvage`).
        Raises TraceError if a file is missing, foreign, of a newer format, or damaged beyond its unfinished end.
        """
        self.rank = rank
        self.folder = folder
        self._maps = self._map_files(run_id)
        self.events, self.layouts = read_names(folder / fmt.file_name(rank, "names"))
        self.num_frames = self._count_whole_steps()
        if check_last and self.num_frames:
            self._check_frame(self.num_frames - 1)

    def _map_files(self, run_id: bytes | None) -> dict[str, mmap.mmap]:
        maps = {}
        for part in fmt.MAGIC:
            path = self.folder / fmt.file_name(self.rank, part)
            maps[part] = map_file(path)
            found = check_header(path, part, self.rank, maps[part])
            if found != (run_id or found):
                raise damaged(path, "it is of another run")
            run_id = found
        return maps

    def __len__(self) -> int:
        """Return the number of frames."""
        return self.num_frames

    @property
    def num_steps(self) -> int:
        """Steps that ended in the trace; what came after the last of them is in it, but is no step."""
        if not self.num_frames:
            return 0
        last = self.record(self.num_frames - 1)
        return last.step + (0 if last.flags & fmt.ENDS_RUN else 1)

    @property
    def num_events(self) -> int:
        """Events in the trace."""
        return self.events_before(self.num_frames)

    @property
    def num_bytes(self) -> int:
        """Bytes of frames, digests and values."""
        return sum(map(len, self._maps.values()))

    @property
    def is_cut(self) -> bool:
        """Whether the files hold more than whole steps: what a killed process leaves, or a copy that lost its end."""
        last = self.record(self.num_frames - 1) if self.num_frames else None
        ends = (0, 0) if last is None else (last.digests_end * DIGEST_BYTES, last.values_end)
        used = (self.num_frames * fmt.FRAME_BYTES, *ends)
        return used != tuple(self._stored(part) for part in ("frames", "digests", "values"))

    def events_before(self, index: int) -> int:
        """Return how many events the frames before this one hold."""
        return self.record(index - 1).digests_end if index else 0

    def record(self, index: int) -> fmt.FrameRecord:
        """Return the stored record of a frame."""
        return fmt.FrameRecord._make(fmt.FRAME.unpack_from(self._maps["frames"], _frame_offset(index)))

    def chain(self, index: int) -> bytes:
        """Return the running hash after a frame."""
        start = _frame_offset(index) + fmt.CHAIN_OFFSET
        return self._maps["frames"][start : start + fmt.CHAIN_BYTES]

    def frame(self, index: int) -> Frame:
        """Return a frame, checked against its checksum. Raises TraceError if it is damaged."""
        record = self._check_frame(index)
        start = self.events_before(index)
        return Frame(
            number=index,
            step=record.step,
            ends_step=bool(record.flags & fmt.ENDS_STEP),
            layout=self.layout(record.layout),
            digests=self.digests(start, record.digests_end),
            chain=record.chain,
            elapsed_seconds=record.elapsed_ms / 1000,
        )

    def layout(self, number: int) -> Layout:
        """Return a layout by its number. Raises TraceError if the names file lacks it."""
        try:
            return self.layouts[number]
        except IndexError:
            raise self._damaged("names", f"layout {number} is missing") from None

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[Frame]:
        """Iterate over frames."""
        for index in range(start, self.num_frames if stop is None else min(stop, self.num_frames)):
            yield self.frame(index)

    def digests(self, start: int, stop: int) -> bytes:
        """Return the digests of the events from start to stop, counted over the whole trace."""
        offset = fmt.HEADER_BYTES
        return self._maps["digests"][offset + start * DIGEST_BYTES : offset + stop * DIGEST_BYTES]

    def has_digest(self, digest: bytes, stages: frozenset[Stage]) -> bool:
        """Whether an event of one of these stages has this digest."""
        digests, start = self._maps["digests"], fmt.HEADER_BYTES
        stop = start + self.num_events * DIGEST_BYTES
        while (found := digests.find(digest, start, stop)) >= 0:
            number, rest = divmod(found - fmt.HEADER_BYTES, DIGEST_BYTES)
            if rest == 0 and self._event(number).stage in stages:
                return True
            start = found + 1
        return False

    def _event(self, number: int) -> Event:
        """Return an event by its place in the whole trace."""
        index = bisect_right(range(self.num_frames), number, key=lambda i: self.record(i).digests_end)
        return self.layout(self.record(index).layout).events[number - self.events_before(index)]

    def numbers(self, index: int) -> dict[tuple[int, str], Numbers]:
        """Return the numbers kept with the events of a frame, by position in the layout and kind.

        Raises TraceError if the frame is damaged, or they do not have the form that the format demands.
        """
        num_events = len(self.layout(self._check_frame(index).layout).events)
        data = self._value_bytes(index)
        return {
            (entry.event, entry.kind): Numbers(entry.kind, entry.typecode, _unpack(entry, data))
            for entry in self._check_numbers(index, data, num_events)
        }

    def find_step(self, step: int) -> range:
        """Return the frames of a step."""
        positions = range(self.num_frames)
        stop = bisect_right(positions, step, key=lambda i: self.record(i).step)
        start = bisect_right(positions, step - 1, key=lambda i: self.record(i).step)
        return range(start, stop)

    def column(self, name: Literal["values_end", "step", "layout"], start: int, stop: int) -> array[int]:
        """Return one field of the records of frames; unlike `frame` it checks nothing."""
        typecode, offset = COLUMNS[name]
        records = memoryview(self._maps["frames"])[_frame_offset(start) : _frame_offset(stop)].cast(typecode)
        column = array(typecode, records[offset // records.itemsize :: fmt.FRAME_BYTES // records.itemsize].tobytes())
        if sys.byteorder == "big":
            column.byteswap()
        return column

    def table(self, start: int, stop: int) -> bytes:
        """Return the digests of frames that have one layout, one row per frame.

        Raises TraceError if they do not fill the rows.
        """
        num_digests = len(self.layout(self.record(start).layout).events) * (stop - start)
        digests = self.digests(self.events_before(start), self.events_before(stop))
        if len(digests) != num_digests * DIGEST_BYTES:
            raise self._damaged("frames", f"frames {start} to {stop - 1} do not fit their layout")
        return digests

    def count_layouts(self, stop: int) -> Iterator[tuple[Layout, int]]:
        """Yield each layout with the number of frames before `stop` that have it."""
        times: Counter[int] = Counter()
        for start in range(0, stop, COLUMN_FRAMES):
            times += count_numbers(self.column("layout", start, min(start + COLUMN_FRAMES, stop)))
        for number, count in times.items():
            yield self.layout(number), count

    def count_events(self) -> Counter[Event]:
        """Return how often each event happened."""
        total: Counter[Event] = Counter()
        for layout, times in self.count_layouts(self.num_frames):
            for event in layout.events:
                total[event] += times
        return total

    def find_disorder(self) -> int | None:
        """Return the first frame of an earlier step than the one before it, or None; reads no checksums."""
        last = 0
        for start in range(0, self.num_frames, COLUMN_FRAMES):
            steps = self.column("step", start, min(start + COLUMN_FRAMES, self.num_frames)).tolist()
            if steps[0] < last or sorted(steps) != steps:
                ordered = zip([last, *steps], steps, strict=False)
                return start + next(i for i, (before, step) in enumerate(ordered) if step < before)
            last = steps[-1]
        return None

    def check_frame(self, index: int) -> None:
        """Check a frame against its checksum, and that its chain follows from the one before.

        Raises TraceError if it is damaged.
        """
        frame, flags = self.frame(index), self.record(index).flags
        before = self.chain(index - 1) if index else fmt.FIRST_CHAIN
        if fmt.next_chain(before, frame.layout, frame.step, flags, frame.digests) != frame.chain:
            raise self._damaged("frames", f"the chain breaks at frame {index}")

    def verify(self, *, reads_numbers: bool = True) -> None:
        """Check every byte of every frame: checksums, chain, order of the steps, flags, form of the numbers.

        The form of the numbers takes most of the time; their bytes are always checked. Raises TraceError naming the
        first frame that is damaged.
        """
        frames, digests, values = (memoryview(self._maps[part])[fmt.HEADER_BYTES :] for part in FRAME_PARTS)
        chain, before = fmt.FIRST_CHAIN, fmt.NOTHING_BEFORE
        for index in range(self.num_frames):
            start = index * fmt.FRAME_BYTES
            record = fmt.FrameRecord._make(fmt.FRAME.unpack_from(frames, start))
            layout = self.layout(record.layout)
            own_digests = bytes(digests[before.digests_end * DIGEST_BYTES : record.digests_end * DIGEST_BYTES])
            own_values = bytes(values[before.values_end : record.values_end])
            crc = zlib.crc32(own_digests, zlib.crc32(frames[start : start + fmt.FRAME_BYTES - fmt.CRC.size]))
            if not self._fits(record, before.digests_end, layout) or zlib.crc32(own_values, crc) != record.crc:
                self._check_frame(index)  # says what is wrong
            if not _follows(record, before, layout) or (record.flags & fmt.ENDS_RUN and index + 1 < self.num_frames):
                raise self._damaged("frames", f"frame {index} does not follow the one before")
            chain = fmt.next_chain(chain, layout, record.step, record.flags, own_digests)
            if chain != record.chain:
                raise self._damaged("frames", f"the chain breaks at frame {index}")
            if own_values and reads_numbers:
                self._check_numbers(index, own_values, len(layout.events))
            before = record

    def value_bytes(self, start: int, stop: int) -> bytes:
        """Return what is stored of the numbers of frames; unlike `numbers` it checks nothing."""
        first = self.record(start - 1).values_end if start else 0
        return self._maps["values"][fmt.HEADER_BYTES + first : fmt.HEADER_BYTES + self.record(stop - 1).values_end]

    def _value_bytes(self, index: int) -> bytes:
        return self.value_bytes(index, index + 1)

    def _check_numbers(self, index: int, data: bytes, num_events: int) -> list[NumbersEntry]:
        """Return where each set of numbers of a frame lies."""
        try:
            return list(_find_numbers(data, num_events))
        except (struct.error, KeyError, ValueError):  # ValueError: UnicodeDecodeError as well
            raise self._damaged("values", f"frame {index} holds values of no known form") from None

    def _fits(self, record: fmt.FrameRecord, digests_before: int, layout: Layout) -> bool:
        """Whether a frame has a digest for each event of its layout, and a step and flags that there are."""
        has_all = record.digests_end - digests_before == len(layout.events)
        return has_all and record.step <= fmt.MAX_STEP and record.flags in fmt.KNOWN_FLAGS

    def _check_frame(self, index: int) -> fmt.FrameRecord:
        """Check one frame against its checksum and its layout, and return its record."""
        record = self.record(index)
        layout = self.layout(record.layout)
        start = self.events_before(index)
        if not self._fits(record, start, layout):
            raise self._damaged("frames", f"frame {index} does not fit its layout")
        offset = _frame_offset(index)
        body = self._maps["frames"][offset : offset + fmt.FRAME_BYTES - 4]
        crc = zlib.crc32(self.digests(start, record.digests_end), zlib.crc32(body))
        crc = zlib.crc32(self._value_bytes(index), crc)
        if crc != record.crc:
            raise self._damaged("frames", f"frame {index} (step {record.step}) fails its checksum")
        return record

    def _count_whole_steps(self) -> int:
        """Return how many frames are there with all their digests and values, up to the last step that ended."""
        num_digests, num_value_bytes = self._stored("digests") // DIGEST_BYTES, self._stored("values")
        stored = self._count_filled()
        whole = bisect_right(range(stored), num_digests, key=lambda i: self.record(i).digests_end)
        whole = bisect_right(range(whole), num_value_bytes, key=lambda i: self.record(i).values_end)
        while whole and not self.record(whole - 1).flags & fmt.ENDS_STEP:
            whole -= 1
        return whole

    def _count_filled(self) -> int:
        """Return how many frames stand before the room that a killed process leaves and before an unfinished one."""
        num_records = self._stored("frames") // fmt.FRAME_BYTES
        filled = count_filled(num_records, lambda i: self._maps["frames"][_frame_offset(i) : _frame_offset(i + 1)])
        if 0 < filled < num_records:
            try:
                self._check_frame(filled - 1)
            except TraceError:
                return filled - 1
        return filled

    def _stored(self, part: str) -> int:
        """Return how many bytes a file holds after its header."""
        return len(self._maps[part]) - fmt.HEADER_BYTES

    def _damaged(self, part: str, problem: str) -> TraceError:
        return damaged(self.folder / fmt.file_name(self.rank, part), problem)


def count_filled(num_records: int, read: Callable[[int], bytes]) -> int:
    """Return how many records of a frames file hold anything; zeros follow in that of a run that has not ended."""
    return bisect_left(range(num_records), True, key=lambda i: read(i) == fmt.NO_FRAME)  # noqa: FBT003  # the key's value


def count_numbers(column: array[int]) -> Counter[int]:
    """Count each number of a column; one of equal numbers, the usual case, takes no look at each."""
    is_constant = column == column[:1] * len(column)
    return Counter({column[0]: len(column)} if is_constant and column else column)


def _follows(record: fmt.FrameRecord, before: fmt.FrameRecord, layout: Layout) -> bool:
    """Whether a frame may come after another: a step goes on until its last frame, and none begins twice."""
    in_order = record.step > before.step if before.flags else record.step == before.step
    is_first = before is fmt.NOTHING_BEFORE
    counts = record.tensors_end - before.tensors_end == layout.num_tensors
    return (in_order or is_first) and counts and record.values_end >= before.values_end


def _find_numbers(data: bytes, num_events: int) -> Iterator[NumbersEntry]:
    """Yield where each set of numbers of a frame lies; anything that does not have the form of the format raises."""
    found: set[tuple[int, str]] = set()
    position = 0
    while position < len(data):
        event, kind, typecode, _, num_bytes = fmt.VALUE.unpack_from(data, position)
        position += fmt.VALUE.size
        code, name = typecode.decode("ascii"), fmt.KIND_NAMES[kind]
        count, rest = divmod(num_bytes, fmt.TYPE_BYTES[code])
        if rest or event >= num_events or (event, name) in found or position + num_bytes > len(data):
            raise ValueError(event)
        found.add((event, name))
        yield NumbersEntry(event, name, code, position, count)
        position += num_bytes


def _unpack(entry: NumbersEntry, data: bytes) -> tuple[int | float, ...]:
    return struct.unpack_from(f"<{entry.num_values}{entry.typecode}", data, entry.start)


def _frame_offset(index: int) -> int:
    return fmt.HEADER_BYTES + index * fmt.FRAME_BYTES

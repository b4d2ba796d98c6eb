"""Read a trace: random access to any frame, whatever the length, without reading the rest.

The files are memory-mapped. Opening checks the headers, cuts what a killed process left half-written, and verifies
the last frame; `RankTrace.verify` checks every byte. Left out: what two traces have in common (`reproof.compare`).
"""

from __future__ import annotations

import os
import struct
import zlib
from bisect import bisect_right
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from reproof.errors import TraceError
from reproof.schema import DIGEST_BYTES, Event, Frame, Layout, Numbers, RunHeader
from reproof.trace import format as fmt
from reproof.trace.files import check_header, damaged, list_folder, map_file
from reproof.trace.header import created_at, read_header
from reproof.trace.names import read_names

if TYPE_CHECKING:
    import mmap
    from collections.abc import Iterator

RECORDED = "name a folder that `reproof run -o` made"


class RankTrace:
    """What one process recorded."""

    def __init__(self, folder: Path, rank: int, run_id: bytes | None = None) -> None:
        """Open the files of a rank.

        Args:
            folder: Folder of the trace.
            rank: The process.
            run_id: The 16-byte ID of the run to which they must belong; None for the one that they agree on.

        Raises:
            TraceError: If a file is missing, foreign, of a newer format, or damaged beyond its unfinished end.
        """
        self.rank = rank
        self.folder = folder
        self._maps = self._map_files(run_id)
        self.events, self.layouts = read_names(folder / fmt.file_name(rank, "names"))
        self.num_frames = self._count_whole_steps()
        if self.num_frames:
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
        """Return a frame, checked against its checksum.

        Raises:
            TraceError: If it is damaged.
        """
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
        """Return a layout by its number.

        Raises:
            TraceError: If the names file lacks it.
        """
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

    def numbers(self, index: int) -> dict[tuple[int, str], Numbers]:
        """Return the numbers kept with the events of a frame, by position in the layout and kind.

        Raises:
            TraceError: If the frame is damaged, or they do not have the form that the format demands.
        """
        num_events = len(self.layout(self._check_frame(index).layout).events)
        try:
            return _unpack_numbers(self._value_bytes(index), num_events)
        except (struct.error, KeyError, ValueError):  # ValueError: UnicodeDecodeError as well
            raise self._damaged("values", f"frame {index} holds values of no known form") from None

    def find_step(self, step: int) -> range:
        """Return the frames of a step."""
        positions = range(self.num_frames)
        stop = bisect_right(positions, step, key=lambda i: self.record(i).step)
        start = bisect_right(positions, step - 1, key=lambda i: self.record(i).step)
        return range(start, stop)

    def count_events(self) -> Counter[Event]:
        """Return how often each event happened."""
        if len(self.layouts) == 1:
            return _times(self.layouts[0], self.num_frames)
        total: Counter[Event] = Counter()
        for number, times in Counter(self.record(i).layout for i in range(self.num_frames)).items():
            total += _times(self.layout(number), times)
        return total

    def verify(self) -> None:
        """Check every byte of every frame: checksums, chain, order of the steps, form of the numbers.

        Raises:
            TraceError: Naming the first frame that is damaged.
        """
        chain, step, num_tensors = fmt.FIRST_CHAIN, 0, 0
        for index in range(self.num_frames):
            frame, record = self.frame(index), self.record(index)
            chain = fmt.next_chain(chain, frame.layout, frame.step, record.flags, frame.digests)
            num_tensors += frame.layout.num_tensors
            if chain != frame.chain:
                raise self._damaged("frames", f"the chain breaks at frame {index}")
            if frame.step < step or record.tensors_end != num_tensors:
                raise self._damaged("frames", f"frame {index} does not follow the one before")
            self.numbers(index)
            step = frame.step

    def _value_bytes(self, index: int) -> bytes:
        start = self.record(index - 1).values_end if index else 0
        return self._maps["values"][fmt.HEADER_BYTES + start : fmt.HEADER_BYTES + self.record(index).values_end]

    def _check_frame(self, index: int) -> fmt.FrameRecord:
        """Check one frame against its checksum and its layout, and return its record."""
        record = self.record(index)
        layout = self.layout(record.layout)
        start = self.events_before(index)
        if record.digests_end - start != len(layout.events) or record.step > fmt.MAX_STEP:
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
        stored = self._stored("frames") // fmt.FRAME_BYTES
        whole = bisect_right(range(stored), num_digests, key=lambda i: self.record(i).digests_end)
        whole = bisect_right(range(whole), num_value_bytes, key=lambda i: self.record(i).values_end)
        while whole and not self.record(whole - 1).flags & fmt.ENDS_STEP:
            whole -= 1
        return whole

    def _stored(self, part: str) -> int:
        """Return how many bytes a file holds after its header."""
        return len(self._maps[part]) - fmt.HEADER_BYTES

    def _damaged(self, part: str, problem: str) -> TraceError:
        return damaged(self.folder / fmt.file_name(self.rank, part), problem)


class Trace:
    """A recorded run: its header and what each of its processes recorded."""

    def __init__(self, folder: Path, header: RunHeader, ranks: dict[int, RankTrace]) -> None:
        """Hold the parts; use `open_trace`."""
        self.folder = folder
        self.header = header
        self.ranks = ranks

    def explain_incomplete(self) -> str | None:
        """Return why the trace is not the record of a whole run, or None if it is."""
        header = self.header
        if header.status == "running":
            return "the run was killed or is still running"
        if header.status != "complete":
            return header.ended or header.status
        present = range(min(header.num_ranks, len(self.ranks) + 1))
        missing = next((rank for rank in present if rank not in self.ranks), None)
        return self._explain_cut() if missing is None else f"rank {missing} left no trace"

    def verify(self) -> None:
        """Check every byte of what all processes recorded, and that nothing is missing at its end.

        Raises:
            TraceError: Naming the first thing that is damaged.
        """
        for rank in self.ranks.values():
            rank.verify()
        if self.header.is_complete and (cut := self._explain_cut()) is not None:
            raise damaged(self.folder, cut)

    def _explain_cut(self) -> str | None:
        for number, rank in self.ranks.items():
            if rank.is_cut:
                last = rank.record(rank.num_frames - 1).step if rank.num_frames else None
                where = "before the end of the first step" if last is None else f"after step {last}"
                return f"the files of rank {number} were cut {where}"
        return None


def open_trace(path: str | Path) -> Trace:
    """Open a trace.

    Args:
        path: The folder of the run.

    Raises:
        TraceError: If there is no trace, it is foreign or damaged, or its format is newer than this release reads.
    """
    folder = Path(path)
    names = list_folder(folder, "trace", RECORDED)
    if fmt.RUN_FILE not in names:
        raise TraceError(f"{folder} is not a trace: it has no {fmt.RUN_FILE}", RECORDED, slug="trace-foreign")
    header = read_header(folder)
    ranks = sorted(rank for name in names if name.endswith(".frames") and (rank := fmt.rank_of(name)) is not None)
    if not ranks:
        raise TraceError(f"{folder} holds no recorded process", "record the run again", slug="trace-empty")
    if ranks[-1] >= header.num_ranks:
        had = f"{header.num_ranks} process{'' if header.num_ranks == 1 else 'es'}"
        msg = f"{folder} holds files of rank {ranks[-1]}, and the run had {had}"
        raise TraceError(msg, "record the run again", slug="trace-damaged")
    run_id = bytes.fromhex(header.run_id)
    return Trace(folder, header, {rank: RankTrace(folder, rank, run_id if rank == 0 else None) for rank in ranks})


def find_newest_traces(folder: str | Path, count: int = 2) -> list[Path]:
    """Return the newest traces in a folder, oldest of them first; what counts is when their recording began.

    Raises:
        TraceError: If the folder is missing or holds fewer.
    """
    parent = Path(folder)
    runs = [parent / name for name in list_folder(parent, "folder of runs", "name the folder that holds the runs")]
    dated = [(created_at(read_header(p)), p.name, p) for p in runs if os.access(p / fmt.RUN_FILE, os.F_OK)]
    if len(dated) < count:
        msg = f"{parent} holds {len(dated)} of the {count} runs to compare"
        raise TraceError(msg, "record another with `reproof run -o`", slug="too-few-traces")
    return [path for _, _, path in sorted(dated)[-count:]]


def _unpack_numbers(data: bytes, num_events: int) -> dict[tuple[int, str], Numbers]:
    """Return the numbers of a frame; anything that does not have the form of the format raises."""
    found: dict[tuple[int, str], Numbers] = {}
    position = 0
    while position < len(data):
        event, kind, typecode, _, num_bytes = fmt.VALUE.unpack_from(data, position)
        position += fmt.VALUE.size
        code, name = typecode.decode("ascii"), fmt.KIND_NAMES[kind]
        count, rest = divmod(num_bytes, fmt.TYPE_BYTES[code])
        if rest or event >= num_events or (event, name) in found:
            raise ValueError(event)
        values = struct.unpack_from(f"<{count}{code}", data, position)
        position += num_bytes
        found[event, name] = Numbers(kind=name, typecode=code, values=values)
    return found


def _frame_offset(index: int) -> int:
    return fmt.HEADER_BYTES + index * fmt.FRAME_BYTES


def _times(layout: Layout, times: int) -> Counter[Event]:
    return Counter({event: count * times for event, count in Counter(layout.events).items()})

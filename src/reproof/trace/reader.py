"""Read a trace: random access to any frame, whatever the length, without reading the rest.

The files are memory-mapped. Opening checks the headers, cuts what a killed process left half-written, and verifies
the last frame; `RankTrace.verify` checks every byte. Left out: what two traces have in common (`reproof.compare`).
"""

from __future__ import annotations

import json
import mmap
import struct
import zlib
from bisect import bisect_right
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reproof.errors import TraceError
from reproof.schema import DIGEST_BYTES, LEVELS, STAGES, Event, Frame, Layout, Numbers, RunHeader
from reproof.trace import format as fmt

if TYPE_CHECKING:
    from collections.abc import Iterator

STATUSES = ("running", "complete", "failed", "interrupted")


class RankTrace:
    """What one process recorded."""

    def __init__(self, folder: Path, rank: int) -> None:
        """Open the files of a rank.

        Raises:
            TraceError: If a file is missing, foreign, of a newer format, or damaged beyond its unfinished end.
        """
        self.rank = rank
        self.folder = folder
        self._maps = {part: _map_file(folder / fmt.file_name(rank, part), part) for part in fmt.MAGIC}
        self.events, self.layouts = _read_names(folder / fmt.file_name(rank, "names"))
        self.num_frames = self._count_whole_steps()
        if self.num_frames:
            self._check_frame(self.num_frames - 1)

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

    def events_before(self, index: int) -> int:
        """Return how many events the frames before this one hold."""
        return self.record(index - 1).digests_end if index else 0

    def tensors_before(self, index: int) -> int:
        """Return how many tensors the frames before this one cover."""
        return self.record(index - 1).tensors_end if index else 0

    def record(self, index: int) -> fmt.FrameRecord:
        """Return the stored record of a frame."""
        return fmt.FrameRecord._make(fmt.FRAME.unpack_from(self._maps["frames"], _frame_offset(index)))

    def chain(self, index: int) -> bytes:
        """Return the running hash after a frame."""
        start = _frame_offset(index) + fmt.CHAIN_OFFSET
        return self._maps["frames"][start : start + fmt.CHAIN_BYTES]

    def frame(self, index: int) -> Frame:
        """Return a frame."""
        record = self.record(index)
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
            TraceError: If they do not have the form that the format demands.
        """
        try:
            return dict(_unpack_values(self._value_bytes(index)))
        except (struct.error, KeyError, UnicodeDecodeError, ValueError):
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
        """Check every byte of every frame: checksums and the chain.

        Raises:
            TraceError: Naming the first frame that is damaged.
        """
        chain = fmt.FIRST_CHAIN
        for index in range(self.num_frames):
            self._check_frame(index)
            frame = self.frame(index)
            flags = self.record(index).flags
            chain = fmt.next_chain(chain, frame.layout, frame.step, flags, frame.digests)
            if chain != frame.chain:
                raise self._damaged("frames", f"the chain breaks at frame {index}")

    def _value_bytes(self, index: int) -> bytes:
        start = self.record(index - 1).values_end if index else 0
        return self._maps["values"][fmt.HEADER_BYTES + start : fmt.HEADER_BYTES + self.record(index).values_end]

    def _check_frame(self, index: int) -> None:
        record = self.record(index)
        layout = self.layout(record.layout)
        start = self.events_before(index)
        if record.digests_end - start != len(layout.events):
            raise self._damaged("frames", f"frame {index} does not fit its layout")
        offset = _frame_offset(index)
        body = self._maps["frames"][offset : offset + fmt.FRAME_BYTES - 4]
        crc = zlib.crc32(
            self._value_bytes(index), zlib.crc32(self.digests(start, record.digests_end), zlib.crc32(body))
        )
        if crc != record.crc:
            raise self._damaged("frames", f"frame {index} (step {record.step}) fails its checksum")

    def _count_whole_steps(self) -> int:
        """Return how many frames are there with all their digests and values, up to the last step that ended."""
        stored = (len(self._maps["frames"]) - fmt.HEADER_BYTES) // fmt.FRAME_BYTES
        num_digests = (len(self._maps["digests"]) - fmt.HEADER_BYTES) // DIGEST_BYTES
        num_value_bytes = len(self._maps["values"]) - fmt.HEADER_BYTES
        whole = bisect_right(range(stored), num_digests, key=lambda i: self.record(i).digests_end)
        whole = bisect_right(range(whole), num_value_bytes, key=lambda i: self.record(i).values_end)
        while whole and not self.record(whole - 1).flags & fmt.ENDS_STEP:
            whole -= 1
        return whole

    def _damaged(self, part: str, problem: str) -> TraceError:
        path = self.folder / fmt.file_name(self.rank, part)
        return TraceError(f"{path} is damaged: {problem}", "record the run again", slug="trace-damaged")


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
        missing = sorted(set(range(header.num_ranks)) - set(self.ranks))
        if header.status == "running":
            return "the run was killed or is still running"
        if header.status != "complete":
            return header.ended or header.status
        if missing:
            return f"rank {missing[0]} left no trace"
        return None


def open_trace(path: str | Path) -> Trace:
    """Open a trace.

    Args:
        path: The folder of the run.

    Raises:
        TraceError: If there is no trace, it is foreign or damaged, or its format is newer than this release reads.
    """
    folder = Path(path)
    if not folder.is_dir():
        problem = f"{folder} is not the folder of a trace" if folder.exists() else f"no trace at {folder}"
        raise TraceError(problem, "name a folder that `reproof run -o` made", slug="trace-missing")
    header = _read_header(folder)
    ranks = sorted(int(p.name[4:-7]) for p in folder.glob("rank*.frames") if p.name[4:-7].isdigit())
    if not ranks:
        raise TraceError(f"{folder} holds no recorded process", "record the run again", slug="trace-empty")
    return Trace(folder, header, {rank: RankTrace(folder, rank) for rank in ranks})


def find_newest_traces(folder: str | Path, count: int = 2) -> list[Path]:
    """Return the newest traces in a folder, oldest of them first.

    Raises:
        TraceError: If the folder is missing or holds fewer.
    """
    parent = Path(folder)
    if not parent.is_dir():
        raise TraceError(f"no folder {parent}", "name the folder that holds the runs", slug="trace-missing")
    dated = [(_read_header(p).created, p.name, p) for p in parent.iterdir() if (p / fmt.RUN_FILE).is_file()]
    if len(dated) < count:
        msg = f"{parent} holds {len(dated)} of the {count} runs to compare"
        raise TraceError(msg, "record another with `reproof run -o`", slug="too-few-traces")
    return [path for _, _, path in sorted(dated)[-count:]]


def _read_header(folder: Path) -> RunHeader:
    path = folder / fmt.RUN_FILE
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        msg = f"{folder} is not a trace: it has no {fmt.RUN_FILE}"
        raise TraceError(msg, "name a folder that `reproof run -o` made", slug="trace-foreign") from None
    except (OSError, ValueError) as error:
        raise TraceError(f"cannot read {path}: {error}", "record the run again", slug="trace-damaged") from None
    if not isinstance(data, dict) or data.get("format") != fmt.FORMAT:
        raise TraceError(
            f"{path} is not the header of a trace", "name a folder of `reproof run -o`", slug="trace-foreign"
        )
    version = data.get("format_version")
    if not isinstance(version, int) or version < 1:
        raise TraceError(f"{path} has format version {version!r}", "record the run again", slug="trace-damaged")
    if version > fmt.FORMAT_VERSION:
        msg = f"{path} has format version {version}, and this release reads up to {fmt.FORMAT_VERSION}"
        raise TraceError(msg, "upgrade reproof", slug="trace-newer")
    try:
        return _parse_header(data)
    except (KeyError, TypeError, ValueError) as error:
        raise TraceError(f"{path} is damaged: {error!r}", "record the run again", slug="trace-damaged") from None


def _parse_header(data: dict[str, Any]) -> RunHeader:
    bytes.fromhex(data["run_id"])
    if data["status"] not in STATUSES or data["level"] not in LEVELS:
        msg = f"status {data['status']!r}, level {data['level']!r}"
        raise ValueError(msg)
    return RunHeader(
        run_id=data["run_id"],
        status=data["status"],
        level=data["level"],
        command=tuple(str(part) for part in data["command"]),
        num_batches=None if data["num_batches"] is None else int(data["num_batches"]),
        statistics=bool(data["statistics"]),
        created=str(data["created"]),
        environment=dict(data["environment"]),
        ended=None if data["ended"] is None else str(data["ended"]),
        exit_code=None if data["exit_code"] is None else int(data["exit_code"]),
        problems=tuple(str(problem) for problem in data["problems"]),
        num_ranks=int(data["num_ranks"]),
    )


def _map_file(path: Path, part: str) -> mmap.mmap:
    """Map a file and check its header."""
    try:
        with path.open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except FileNotFoundError:
        raise TraceError(f"{path} is missing", "record the run again", slug="trace-damaged") from None
    except ValueError:
        raise TraceError(f"{path} is empty", "record the run again", slug="trace-empty") from None
    except OSError as error:
        raise TraceError(
            f"cannot read {path}: {error.strerror}", "check its permissions", slug="trace-unreadable"
        ) from None
    head = mapped[: fmt.HEADER_BYTES]
    if len(head) < fmt.HEADER_BYTES or head[:8] != fmt.MAGIC[part]:
        msg = f"{path} is not the {part} file of a trace"
        raise TraceError(msg, "record the run again", slug="trace-foreign")
    _, version, _, _, _, crc = fmt.HEADER.unpack(head)
    if version > fmt.FORMAT_VERSION:
        msg = f"{path} has format version {version}, and this release reads up to {fmt.FORMAT_VERSION}"
        raise TraceError(msg, "upgrade reproof", slug="trace-newer")
    if crc != zlib.crc32(head[:-4]):
        raise TraceError(
            f"{path} is damaged: its header fails its checksum", "record the run again", slug="trace-damaged"
        )
    return mapped


def _read_names(path: Path) -> tuple[list[Event], list[Layout]]:
    """Read events and layouts; an unfinished last line is what a killed process leaves and is ignored."""
    events: list[Event] = []
    layouts: list[Layout] = []
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise TraceError(
            f"cannot read {path}: {error.strerror}", "record the run again", slug="trace-damaged"
        ) from None
    for number, line in enumerate(lines[:-1], start=1):
        try:
            entry = json.loads(line)
            if "layout" in entry:
                layouts.append(fmt.make_layout(tuple(events[i] for i in entry["events"])))
            else:
                events.append(_parse_event(entry))
        except (ValueError, KeyError, TypeError, IndexError):
            msg = f"{path} is damaged: line {number} is not an event or a layout"
            raise TraceError(msg, "record the run again", slug="trace-damaged") from None
    return events, layouts


def _parse_event(entry: dict[str, Any]) -> Event:
    if entry["stage"] not in STAGES:
        raise ValueError(entry["stage"])
    return Event(
        stage=entry["stage"],
        name=entry["name"],
        detail=entry.get("detail"),
        algorithm=entry["algorithm"],
        skipped=entry.get("skipped"),
        num_tensors=int(entry.get("tensors", 0)),
    )


def _unpack_values(data: bytes) -> Iterator[tuple[tuple[int, str], Numbers]]:
    position = 0
    while position < len(data):
        event, kind, typecode, _, num_bytes = fmt.VALUE.unpack_from(data, position)
        position += fmt.VALUE.size
        code = typecode.decode("ascii")
        count = num_bytes // struct.calcsize(f"<{code}")
        values = struct.unpack_from(f"<{count}{code}", data, position)
        position += num_bytes
        name = fmt.KIND_NAMES[kind]
        yield (event, name), Numbers(kind=name, typecode=code, values=values)  # type: ignore[arg-type]  # names of KINDS


def _frame_offset(index: int) -> int:
    return fmt.HEADER_BYTES + index * fmt.FRAME_BYTES


def _times(layout: Layout, times: int) -> Counter[Event]:
    return Counter({event: count * times for event, count in Counter(layout.events).items()})

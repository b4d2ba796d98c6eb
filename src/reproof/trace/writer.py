"""Append a run to its trace, so that whatever happens to the process, all complete steps can be read.

Nothing is kept in buffers of our own (`reproof.trace.appending`): what was written is in the kernel's page cache and
survives a `kill -9`. It is not forced to the disk (`fsync` costs 30 times the rest), so a power failure may lose
the last seconds. Left out: what is recorded, and when a step ends (`reproof.recorder`).
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reproof.errors import RecordingError
from reproof.schema import PROCESSES
from reproof.trace import format as fmt
from reproof.trace.appending import AppendedFile
from reproof.trace.header import header_to_json
from reproof.trace.reader import list_processes

if TYPE_CHECKING:
    from reproof.schema import Event, Layout, RunHeader


class RankWriter:
    """Writes the frames of one process.

    Not thread-safe: the recorder holds a lock. After an error of the file system the writer is closed, so that the
    trace stays a readable prefix of the run.
    """

    def __init__(self, folder: Path, rank: int, run_id: str) -> None:
        """Create the four files of this rank; they must not exist.

        Raises RecordingError if a file exists or cannot be created.
        """
        self._folder = folder
        self._start = time.monotonic()
        self._files: dict[str, AppendedFile] = {}
        self._events: dict[Event, int] = {}
        self._layouts: dict[tuple[int, ...], tuple[int, Layout]] = {}
        self._event_list: list[Event] = []
        self._chain = fmt.FIRST_CHAIN
        self.num_frames = 0
        self.num_digests = 0
        self.num_tensors = 0
        self._num_value_bytes = 0
        try:
            for part in ("names", "digests", "values", "frames"):
                self._files[part] = AppendedFile(folder / fmt.file_name(rank, part), may_map=part in fmt.MAGIC)
                if part in fmt.MAGIC:
                    self._append(part, fmt.pack_header(part, rank, bytes.fromhex(run_id)))
        except OSError as error:
            self.close()
            raise cannot_write(Path(error.filename or folder), error) from error

    def event_id(self, event: Event) -> int:
        """Return the number of this event, writing its name the first time it is seen."""
        known = self._events.get(event)
        if known is None:
            known = self._events[event] = len(self._event_list)
            self._event_list.append(event)
            self._append_line({"event": known, **fmt.event_to_json(event)})
        return known

    def append_frame(self, event_ids: tuple[int, ...], digests: bytes, values: bytes, step: int, flags: int) -> None:
        """Write one frame.

        The events are numbered by `event_id` and in execution order, with 16 bytes of digest each; `values` are packed
        `format.VALUE` entries or nothing, `flags` is `format.ENDS_STEP` or 0. Raises OSError if the file system
        refuses.
        """
        layout_id, layout = self._layouts.get(event_ids) or self._add_layout(event_ids)
        self._chain = fmt.next_chain(self._chain, layout, step, flags, digests)
        self.num_digests += len(event_ids)
        self.num_tensors += layout.num_tensors
        self._num_value_bytes += len(values)
        elapsed_ms = int((time.monotonic() - self._start) * 1000) & 0xFFFFFFFF
        body = fmt.FRAME_BODY.pack(
            self.num_digests, self.num_tensors, self._num_value_bytes, step, layout_id, flags, self._chain, elapsed_ms
        )
        crc = zlib.crc32(b"".join((body, digests, values)))
        self._append("digests", digests)
        if values:
            self._append("values", values)
        self._append("frames", body + fmt.CRC.pack(crc))
        self.num_frames += 1

    def _add_layout(self, event_ids: tuple[int, ...]) -> tuple[int, Layout]:
        layout = fmt.make_layout(tuple(self._event_list[i] for i in event_ids))
        known = self._layouts[event_ids] = (len(self._layouts), layout)
        self._append_line({"layout": known[0], "events": list(event_ids)})
        return known

    def _append_line(self, entry: dict[str, Any]) -> None:
        line = json.dumps(entry, separators=(",", ":"))
        self._append("names", f"{line}\n".encode())

    def _append(self, part: str, data: bytes) -> None:
        """Write all of the data, or raise and close."""
        file = self._files.get(part)
        if file is None:
            raise OSError(errno.EBADF, "the trace is closed")
        try:
            file.append(data)
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Close the files. Closing twice does nothing."""
        while self._files:
            with contextlib.suppress(OSError):  # what was written is read without it
                self._files.popitem()[1].close()


class TraceWriter:
    """Creates the folder of a trace, holds `run.json` and the writer of this process."""

    def __init__(self, folder: Path, header: RunHeader, *, rank: int = 0, force: bool = False) -> None:
        """Create the trace.

        The folder is created with its parents. Rank 0 writes `run.json`. With `force` an older trace in it is replaced,
        and nothing else ever. Raises RecordingError if the folder holds a trace and `force` is false, holds anything
        else, or cannot be written.
        """
        self.folder = folder
        self.rank = rank
        self.header = header
        try:
            folder.mkdir(parents=True, exist_ok=True)
            make_room(folder, rank, header.num_ranks, force=force)
            if rank == 0:
                self.write_header(header)
        except OSError as error:
            raise cannot_write(folder, error) from error
        self.writer = RankWriter(folder, rank, header.run_id)

    def write_header(self, header: RunHeader) -> None:
        """Write `run.json`, whole or not at all. Raises OSError if the file system refuses."""
        self.header = header
        temporary = self.folder / f".{fmt.RUN_FILE}.{os.getpid()}"
        try:
            temporary.write_text(json.dumps(header_to_json(header), indent=1) + "\n", encoding="utf-8")
            temporary.replace(self.folder / fmt.RUN_FILE)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise

    def close(self) -> None:
        """Close the files of this process."""
        self.writer.close()


def make_room(folder: Path, rank: int, num_ranks: int, *, force: bool) -> None:
    """Take away this rank's part of an older trace if asked to; refuse to touch anything else."""
    present = {entry.name for entry in folder.iterdir()}
    children = [folder / PROCESSES / label for label in list_processes(folder)]
    if PROCESSES in present and len(children) == sum(1 for _ in (folder / PROCESSES).iterdir()):
        present.remove(PROCESSES)
    foreign = sorted(name for name in present if not is_trace_file(name))
    if foreign:
        msg = f"{folder} holds {foreign[0]!r}, which is not part of a trace"
        raise RecordingError(msg, "record into a folder of its own", slug="folder-not-empty")
    older = [name for name in present if makes_room_for(rank, num_ranks, name)]
    descended = [child for child in children if makes_room_for_child(rank, num_ranks, child.name)]
    if (older or descended) and not force:
        msg = f"{folder} already holds a trace"
        raise RecordingError(msg, "choose another folder or add --force to replace it", slug="trace-exists")
    for name in sorted(older, key=lambda name: name != fmt.RUN_FILE):  # the header first: what is left is no trace
        (folder / name).unlink()
    for child in descended:
        shutil.rmtree(child)


def makes_room_for_child(rank: int, num_ranks: int, label: str) -> bool:
    """Whether the trace of a process that another has started has to go when this rank records."""
    owner = fmt.rank_of_label(label)
    return owner == rank or (rank == 0 and owner is not None and owner >= num_ranks)


def makes_room_for(rank: int, num_ranks: int, name: str) -> bool:
    """Whether a file of a trace has to go when this rank records: its own, and what no other rank will replace."""
    owner = fmt.rank_of(name)
    is_left_over = owner is None or owner >= num_ranks
    return owner == rank or (rank == 0 and is_left_over)


def is_trace_file(name: str) -> bool:
    """Whether a file of this name is part of a trace."""
    return name == fmt.RUN_FILE or fmt.rank_of(name) is not None or name.startswith(f".{fmt.RUN_FILE}.")


def cannot_write(path: Path, error: OSError) -> RecordingError:
    """Return the one-line error for a trace that the file system refuses."""
    reason = error.strerror or str(error)
    remedy = "free some space or choose another folder" if error.errno in FULL else "choose a folder that you can write"
    return RecordingError(f"cannot write {path}: {reason}", remedy, slug="cannot-write")


FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""The disk, the quota or the allowed file size is used up."""

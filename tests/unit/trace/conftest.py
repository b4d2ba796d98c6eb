"""Small traces made with the real writer, frame by frame."""

from __future__ import annotations

import os
import struct
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
import xxhash

from reproof.schema import NO_DIGEST, Event, RunHeader
from reproof.trace import TraceWriter
from reproof.trace import format as fmt

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Numbers = tuple[str, str, tuple[float, ...]]
    Part = tuple[Event, str] | tuple[Event, str, list[Numbers]]

NOBODY: Final = 65534


class TraceMaker:
    """Writes a trace of one process.

    An event of a frame is given as a tuple: the event, a text whose digest stands for its content, and perhaps a list
    of its numbers as (kind, typecode, values).
    """

    def __init__(self, folder: Path, *, rank: int = 0, force: bool = False, **fields: Any) -> None:
        """Create the trace; `fields` replace those of the header of a complete run."""
        known = {"run_id": "0123456789abcdef" * 2, "status": "complete", "level": "batches", "command": ("train.py",)}
        rest = {"num_batches": None, "statistics": False, "created": "2026-01-02T03:04:05+00:00"}
        self.trace = TraceWriter(folder, RunHeader(**{**known, **rest, **fields}), rank=rank, force=force)
        self.writer = self.trace.writer

    def add(self, step: int, parts: Sequence[Part], flags: int = fmt.ENDS_STEP) -> TraceMaker:
        """Append one frame."""
        ids = tuple(self.writer.event_id(part[0]) for part in parts)
        digests = b"".join(self.digest(part) for part in parts)
        values = [pack_numbers(place, *one) for place, part in enumerate(parts) for one in (part[2:] or ([],))[0]]
        self.writer.append_frame(ids, digests, b"".join(values), step, flags)
        return self

    @staticmethod
    def digest(part: Part) -> bytes:
        """Return the digest that is written for an event."""
        return NO_DIGEST if part[0].skipped else xxhash.xxh3_128_digest(part[1].encode())

    def close(self) -> None:
        """Close the files."""
        self.trace.close()


def pack_numbers(position: int, kind: str, typecode: str, values: tuple[float, ...]) -> bytes:
    """Return one entry of the values file."""
    data = struct.pack(f"<{len(values)}{typecode}", *values)
    return fmt.VALUE.pack(position, fmt.KINDS[kind], typecode.encode(), 0, len(data)) + data


ORDER = Event(stage="batch", name="loader0(10) indices", detail="order")
DATA = Event(stage="batch", name="loader0(10)[0]", detail="content", num_tensors=1)
LABEL = Event(stage="batch", name="loader0(10)[1]", detail="content", num_tensors=1)
LOST = Event(stage="batch", name="loader0(10)['é']", detail="content", skipped="a value of type Path")

SMALL_FRAMES: list[tuple[int, list[Part], int]] = [
    (0, [(ORDER, "o0", [("exact", "q", (3, 1, 2))]), (DATA, "d0", [("samples", "I", (7, 8, 9))])], 1),
    (1, [(ORDER, "o1", [("exact", "q", (0, 5, 4))]), (DATA, "d1")], 0),
    (1, [(LABEL, "l1", [("exact", "b", (1, -1)), ("statistics", "d", (0.5, -0.0))])], 1),
    (3, [(ORDER, "o3"), (DATA, "d3")], 1),
    (4, [(LOST, ""), (LABEL, "l4", [("exact", "b", (2, 2))])], 1),
]
"""Frames with everything: three layouts, a step of two frames, a step without events, a skipped event, numbers."""


@pytest.fixture(scope="session")
def trace_maker() -> type[TraceMaker]:
    """Return the class that writes traces."""
    return TraceMaker


@pytest.fixture(scope="session")
def small_frames() -> list[tuple[int, list[Part], int]]:
    """Return the frames of the trace `small`: step, events, flags."""
    return SMALL_FRAMES


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Return the folder of a small trace: five frames in four steps."""
    maker = TraceMaker(tmp_path / "small")
    for step, parts, flags in SMALL_FRAMES:
        maker.add(step, parts, flags)
    maker.close()
    return tmp_path / "small"


@pytest.fixture
def unprivileged_folder() -> Iterator[Path]:
    """Return an empty folder whose permissions hold for this test, even where the tests run as root."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        is_root = os.geteuid() == 0
        if is_root:
            os.chown(folder, NOBODY, -1)
            os.seteuid(NOBODY)
        try:
            yield folder
        finally:
            folder.chmod(0o700)
            if is_root:
                os.seteuid(0)

"""Small traces made with the real writer, frame by frame."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

import pytest
import xxhash

from reproof.schema import NO_DIGEST, Event, RunHeader
from reproof.trace import TraceWriter
from reproof.trace import format as fmt

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

RUN_ID = "0123456789abcdef" * 2

ORDER = Event(stage="batch", name="loader0(10) indices", detail="order")
DATA = Event(stage="batch", name="loader0(10)[0]", detail="content", num_tensors=1)
LABEL = Event(stage="batch", name="loader0(10)[1]", detail="content", num_tensors=1)
LOST = Event(stage="batch", name="loader0(10)['é']", detail="content", skipped="a value of type Path")


class Part(NamedTuple):
    """One event of a frame to write: digest of `content`, and numbers as kind, typecode, values."""

    event: Event
    content: str
    numbers: tuple[tuple[str, str, tuple[float, ...]], ...] = ()


class TraceMaker:
    """Writes the frames of one process into a new trace."""

    def __init__(self, folder: Path, *, rank: int = 0, force: bool = False, **fields: object) -> None:
        """Create the trace; `fields` replace those of a header of a complete run."""
        known: dict[str, object] = {
            "run_id": RUN_ID,
            "status": "complete",
            "level": "batches",
            "command": ("train.py", "--epochs", "2"),
            "num_batches": None,
            "statistics": False,
            "created": "2026-01-02T03:04:05+00:00",
        }
        header = RunHeader(**{**known, **fields})  # type: ignore[arg-type]
        self._trace = TraceWriter(folder, header, rank=rank, force=force)
        self.writer = self._trace.writer

    def add(self, step: int, parts: Sequence[Part], flags: int = fmt.ENDS_STEP) -> TraceMaker:
        """Append one frame."""
        ids = tuple(self.writer.event_id(part.event) for part in parts)
        digests = b"".join(digest_part(part) for part in parts)
        values = b"".join(pack_numbers(place, *numbers) for place, part in enumerate(parts) for numbers in part.numbers)
        self.writer.append_frame(ids, digests, values, step, flags)
        return self

    def close(self) -> None:
        """Close the files."""
        self._trace.close()


def digest_part(part: Part) -> bytes:
    """Return the digest that is written for a part."""
    return NO_DIGEST if part.event.skipped else xxhash.xxh3_128_digest(part.content)


def pack_numbers(position: int, kind: str, typecode: str, values: tuple[float, ...]) -> bytes:
    """Return one entry of the values file."""
    data = struct.pack(f"<{len(values)}{typecode}", *values)
    return fmt.VALUE.pack(position, fmt.KINDS[kind], typecode.encode(), 0, len(data)) + data


SMALL = (
    (0, fmt.ENDS_STEP, (Part(ORDER, "o0", (("exact", "q", (3, 1, 2)),)), Part(DATA, "d0", (("samples", "I", (7, 8, 9)),)))),
    (1, 0, (Part(ORDER, "o1", (("exact", "q", (0, 5, 4)),)), Part(DATA, "d1"))),
    (1, fmt.ENDS_STEP, (Part(LABEL, "l1", (("exact", "b", (1, -1)), ("statistics", "d", (0.5, -0.0)))),)),
    (3, fmt.ENDS_STEP, (Part(ORDER, "o3"), Part(DATA, "d3"))),
    (4, fmt.ENDS_STEP, (Part(LOST, ""), Part(LABEL, "l4", (("exact", "b", (2, 2)),)))),
)
"""Frames with everything: three layouts, a step of two frames, a step without events, a skipped event, numbers."""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Return the folder of a small trace of five frames in four steps."""
    maker = TraceMaker(tmp_path / "small")
    for step, flags, parts in SMALL:
        maker.add(step, parts, flags)
    maker.close()
    return tmp_path / "small"


@pytest.fixture(scope="session")
def trace_maker() -> type[TraceMaker]:
    """Return the class that writes traces."""
    return TraceMaker

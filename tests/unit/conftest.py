"""Runs made with the real writer, from a few words per step."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import xxhash

from reproof.schema import NO_DIGEST, Event, RunHeader, UnstableOp
from reproof.trace import TraceWriter
from reproof.trace import format as fmt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

ALGORITHM = "xxh3_128"


class Kept(NamedTuple):
    """Numbers kept with an event: kind, typecode, values."""

    kind: str
    typecode: str
    values: tuple[float, ...]


class Happened(NamedTuple):
    """One event of a step: what it is, what its digest is made of, and the numbers kept with it."""

    event: Event
    content: str
    kept: tuple[Kept, ...] = ()


class Words:
    """The words in which tests tell a run: each method returns one event of a step."""

    @staticmethod
    def order(content: str = "", *indices: int, loader: int = 0) -> Happened:
        """Return indices that a loader drew."""
        event = Event(stage="batch", name=f"loader{loader}(100) indices", detail="order")
        return Happened(event, content or str(indices), (Kept("exact", "q", indices),) if indices else ())

    @staticmethod
    def data(content: str, *samples: int, loader: int = 0, statistics: tuple[float, ...] = ()) -> Happened:
        """Return a tensor of a batch, perhaps with a fingerprint of each sample and statistics."""
        event = Event(stage="batch", name=f"loader{loader}(100)[0]", detail="content", num_tensors=1)
        kept = (Kept("samples", "I", samples),) if samples else ()
        return Happened(event, content, kept + ((Kept("statistics", "d", statistics),) if statistics else ()))

    @staticmethod
    def label(*values: float, typecode: str = "q", content: str = "", loader: int = 0) -> Happened:
        """Return labels of a batch, kept exactly."""
        event = Event(stage="batch", name=f"loader{loader}(100)[1]", detail="content", num_tensors=1)
        digested = content or struct.pack(f"<{len(values)}{typecode}", *values).hex()
        return Happened(event, digested, (Kept("exact", typecode, values),))

    @staticmethod
    def loss(value: float, *, typecode: str = "f", name: str = "loss", stage: Any = "loss") -> Happened:
        """Return a loss, or a metric, kept exactly."""
        digested = struct.pack(f"<{typecode}", value).hex()
        return Happened(Event(stage=stage, name=name, num_tensors=1), digested, (Kept("exact", typecode, (value,)),))

    @staticmethod
    def named(name: str, content: str, stage: Any = "batch", **fields: Any) -> Happened:
        """Return an event of any name."""
        return Happened(Event(stage=stage, name=name, **fields), content)

    @staticmethod
    def skipped(name: str, why: str = "a value of type Path", content: str | None = None) -> Happened:
        """Return an event without digest, or with one that must not be looked at."""
        return Happened(Event(stage="batch", name=name, detail="content", skipped=why), content or "")


def write_frames(folder: Path, frames: Iterable[tuple[int, int, Iterable[Happened]]], **header: Any) -> Path:
    """Write a trace of frames (step, flags, events); `header` replaces fields of a complete run."""
    rank = header.pop("rank", 0)
    run_id = xxhash.xxh3_128_hexdigest(folder.name.encode())
    fields = {"run_id": run_id, "status": "complete", "level": "batches", "command": (), "num_batches": None}
    created = {"statistics": False, "created": "2026-01-02T03:04:05+00:00"}
    trace = TraceWriter(folder, RunHeader(**{**fields, **created, **header}), rank=rank)
    for step, flags, events in frames:
        happened = list(events)
        ids = tuple(trace.writer.event_id(one.event) for one in happened)
        digests = b"".join(digest(one) for one in happened)
        values = b"".join(pack(place, kept) for place, one in enumerate(happened) for kept in one.kept)
        trace.writer.append_frame(ids, digests, values, step, flags)
    trace.close()
    return folder


def digest(one: Happened) -> bytes:
    """Return the digest that stands for an event's content; zeros without any content."""
    return xxhash.xxh3_128_digest(one.content.encode()) if one.content else NO_DIGEST


def pack(position: int, kept: Kept) -> bytes:
    """Return one entry of the values file."""
    data = struct.pack(f"<{len(kept.values)}{kept.typecode}", *kept.values)
    return fmt.VALUE.pack(position, fmt.KINDS[kept.kind], kept.typecode.encode(), 0, len(data)) + data


@pytest.fixture(scope="session")
def say() -> type[Words]:
    """Return the words in which a run is told."""
    return Words


@pytest.fixture(scope="session")
def frames_writer() -> Callable[..., Path]:
    """Return the function that writes a trace frame by frame."""
    return write_frames


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a run: its name, and for each step its events."""

    def write(name: str, *steps: list[Happened], **header: Any) -> Path:
        frames = ((step, fmt.ENDS_STEP, events) for step, events in enumerate(steps) if events)
        return write_frames(tmp_path / name, frames, **header)

    return write


@pytest.fixture(scope="session")
def unstable() -> UnstableOp:
    """Return an operation that gave other bits when it was repeated."""
    return UnstableOp(
        step=3,
        num_events=40,
        name="aten::index_put_",
        overload="default",
        phase="backward",
        module="Net",
        file="train.py",
        line=12,
        function="Net.forward",
        num_results=49,
        num_distinct=18,
        num_elements=800,
        num_differing=12,
        max_abs=2e-7,
        max_ulp=9,
        stable_with=("one thread",),
        raises_with=(),
        ulps=(8, 3, 0, 1),
    )

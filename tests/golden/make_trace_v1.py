"""Make `trace-v1`, the trace of format version 1 that every release must read as this one does.

It was made once and is kept as it is: run this only to see how, with a folder that does not exist yet.

    python tests/golden/make_trace_v1.py FOLDER

It leaves FOLDER (the trace) and FOLDER.jsonl (what a reader must find in it). It holds everything that the format
knows: two processes, several layouts, a step of two frames, a frame without events, a step that is left out, an event
without digest, an end of the run within a step, all kinds and types of numbers, and names beyond ASCII.
"""

from __future__ import annotations

import math
import struct
import sys
from pathlib import Path

import xxhash

from reproof.schema import NO_DIGEST, Event, RunHeader
from reproof.trace import TraceWriter, open_trace
from reproof.trace import format as fmt
from reproof.trace.views.export import export_trace

HEADER = RunHeader(
    run_id="00112233445566778899aabbccddeeff",
    status="complete",
    level="batches",
    command=("train.py", "--name", "Größe \ud800"),
    num_batches=100,
    statistics=True,
    created="2026-11-22T12:00:00.123456+01:00",
    environment={"python": {"version": "3.11.7"}, "gpu": None},
    exit_code=0,
    num_ranks=2,
)

INDICES = Event(stage="batch", name="loader0(1437) indices", detail="order")
IMAGES = Event(stage="batch", name="loader0(1437)['Bild']", detail="content", num_tensors=1)
LABELS = Event(stage="batch", name="loader0(1437)['größe \ud800 \"\\\\']", detail="content", num_tensors=1)
PATHS = Event(
    stage="batch", name="loader0(1437)['path']", detail="content", skipped="a value of type pathlib.PosixPath"
)
PARTS = Event(stage="batch", name="loader1(iterable)", detail="content", num_tensors=17)
LOSS = Event(stage="loss", name="loss", algorithm="another_128", num_tensors=1)

FRAMES = (
    (0, fmt.ENDS_STEP, (INDICES, IMAGES, LABELS, PATHS)),
    (1, fmt.ENDS_STEP, (INDICES, IMAGES, LABELS, PATHS)),
    (2, 0, (PARTS, PARTS)),
    (2, fmt.ENDS_STEP, ()),
    (4, fmt.ENDS_STEP, (INDICES, IMAGES, LABELS, PATHS)),
    (5, fmt.ENDS_STEP | fmt.ENDS_RUN, (LOSS,)),
)

NUMBERS = {
    0: (
        (0, "exact", "q", (3, -1, 2**63 - 1)),
        (1, "samples", "I", (0, 7, 2**32 - 1)),
        (2, "exact", "?", (True, False)),
    ),
    1: ((1, "statistics", "d", (math.inf, -math.inf, math.nan, -0.0, 5e-324, 1e308)), (2, "exact", "e", (0.5, -0.0))),
    2: tuple((i % 2, kind, code, (0, 1)) for i, (kind, code) in enumerate((("exact", "b"), ("exact", "H")))),
    4: ((0, "exact", "Q", (2**64 - 1,)), (1, "exact", "f", (0.1,)), (2, "exact", "B", ()), (2, "samples", "h", (-2,))),
    5: ((0, "exact", "i", (-(2**31),)), (0, "rng", "Q", (0, 2**64 - 1, 1024, 5))),
}


def write_rank(folder: Path, rank: int) -> None:
    """Write what one process recorded."""
    trace = TraceWriter(folder, HEADER, rank=rank)
    for number, (step, flags, events) in enumerate(FRAMES):
        contents = [f"{rank} {number} {position}" for position in range(len(events))]
        digests = [
            NO_DIGEST if event.skipped else xxhash.xxh3_128_digest(content.encode())
            for event, content in zip(events, contents, strict=True)
        ]
        values = b"".join(pack_numbers(*numbers) for numbers in NUMBERS.get(number, ()))
        ids = tuple(trace.writer.event_id(event) for event in events)
        trace.writer.append_frame(ids, b"".join(digests), values, step, flags)
    trace.close()


def pack_numbers(position: int, kind: str, typecode: str, values: tuple[float, ...]) -> bytes:
    """Return one entry of the values file."""
    data = struct.pack(f"<{len(values)}{typecode}", *values)
    return fmt.VALUE.pack(position, fmt.KINDS[kind], typecode.encode(), 0, len(data)) + data


def main(folder: Path) -> None:
    """Write the trace and what is in it."""
    for rank in range(HEADER.num_ranks):
        write_rank(folder, rank)
    export_trace(open_trace(folder), folder.with_name(f"{folder.name}.jsonl"), "jsonl")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

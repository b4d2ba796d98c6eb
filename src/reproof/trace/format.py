"""The bytes of a trace: names of files, headers, records. `docs/trace-format.md` says the same in prose.

A trace is a folder. `run.json` holds what is known once. Each process (rank) R appends to four files:

    rankR.names     JSON lines: events and layouts, each written before the first frame that uses it
    rankR.digests   header, then the 16-byte digests of all frames, one after the other
    rankR.values    header, then the numbers that explain differences
    rankR.frames    header, then a 64-byte record per frame; written last: a frame is visible whole or not at all

Fixed-width records and digests without anything between them are what makes comparing fast: the chain of the
records is bisected, and the digests of equal layouts are compared as arrays. All integers are little-endian.
"""

from __future__ import annotations

import json
import re
import struct
import zlib
from typing import TYPE_CHECKING, Final, NamedTuple

import xxhash

from reproof.schema import Event, Layout, NumbersKind

if TYPE_CHECKING:
    from collections.abc import Sequence

FORMAT: Final = "reproof-trace"
FORMAT_VERSION: Final = 1
RUN_FILE: Final = "run.json"

HEADER: Final = struct.Struct("<8sII16s28sI")
HEADER_BYTES: Final = HEADER.size
MAGIC: Final = {"frames": b"RPRFfrm\n", "digests": b"RPRFdig\n", "values": b"RPRFval\n"}
HEADED: Final = {**MAGIC, "ops": b"RPRFops\n"}
"""All files that begin with a header: `ops` is there only where operations were recorded."""
RANK_FILE: Final = re.compile(
    r"rank(0|[1-9][0-9]{0,8})\.(names|digests|values|frames|ops|repetition\.jsonl|poison\.json|numbers\.json|samples\.json|output|(?:[a-z]{0,16}[0-9]+\.)*entropy)",
    re.ASCII,
)

LABEL: Final = re.compile(r"(0|[1-9][0-9]{0,8})(\.[a-z]{0,16}[0-9]{1,12})+", re.ASCII)
"""Labels of such processes: the rank of the first, and what leads from each to the next."""

FRAME: Final = struct.Struct("<QQQQII16sII")
"""digests_end, tensors_end, values_end, step, layout, flags, chain, elapsed_ms, crc."""
FRAME_BYTES: Final = FRAME.size
NO_FRAME: Final = bytes(FRAME_BYTES)
"""What stands in the room that a file has been given ahead."""
FRAME_BODY: Final = struct.Struct("<QQQQII16sI")
CRC: Final = struct.Struct("<I")
CHAIN_OFFSET: Final = 40
"""Where the chain starts within a frame record: what the bisection reads."""
CHAIN_BYTES: Final = 16

ENDS_STEP: Final = 1
"""Flag: nothing more of this step follows."""

ENDS_RUN: Final = 2
"""Flag: the run ended here, within a step: what the frame holds came after the last optimizer step."""

KNOWN_FLAGS: Final = frozenset({0, ENDS_STEP, ENDS_STEP | ENDS_RUN})

LINK: Final = struct.Struct("<16s16sQI")
"""What is chained before the digests of a frame: chain so far, layout digest, step, flags."""

VALUE: Final = struct.Struct("<IBsHI")
"""Before each value: position of its event in the frame, kind, element type, reserved, bytes that follow."""
KIND_NAMES: Final[dict[int, NumbersKind]] = {
    1: "exact",
    2: "statistics",
    3: "samples",
    4: "rng",
    5: "members",
    6: "call",
}
KINDS: Final = {str(name): number for number, name in KIND_NAMES.items()}
TYPE_BYTES: Final = {code: struct.calcsize(f"<{code}") for code in "?bBhHiIqQefd"}
"""The element types that values may have, with their sizes."""

MAX_EVENTS_PER_FRAME: Final = 512
"""A frame is written when it holds so many events, even before its step ends: memory stays bounded."""

MAX_STEP: Final = 2**63 - 1

FIRST_CHAIN: Final = bytes(CHAIN_BYTES)


class FrameRecord(NamedTuple):
    """One record of the frames file, as stored."""

    digests_end: int
    tensors_end: int
    values_end: int
    step: int
    layout: int
    flags: int
    chain: bytes
    elapsed_ms: int
    crc: int


NOTHING_BEFORE: Final = FrameRecord(0, 0, 0, 0, 0, 0, FIRST_CHAIN, 0, 0)
"""What the first frame follows."""


def file_name(rank: int, part: str) -> str:
    """Return the name of one of the files of a process, e.g. ``rank0.frames``."""
    return f"rank{rank}.{part}"


def rank_of(name: str) -> int | None:
    """Return the process to which a file of this name belongs, or None if it is not a file of a process."""
    match = RANK_FILE.fullmatch(name)
    return None if match is None else int(match[1])


def rank_of_label(label: str) -> int | None:
    """Return the process from which one with this label descends, or None if it is no label."""
    match = LABEL.fullmatch(label)
    return None if match is None else int(match[1])


def order_of_label(label: str) -> tuple[tuple[str, int], ...]:
    """Return a key that sorts labels as their processes were started: ``0.2`` before ``0.10``."""
    return tuple((kind, int(number)) for kind, number in re.findall(r"([a-z]*)([0-9]+)", label))


def pack_header(part: str, rank: int, run_id: bytes) -> bytes:
    """Return the 64-byte header of a binary file."""
    body = HEADER.pack(HEADED[part], FORMAT_VERSION, rank, run_id, bytes(28), 0)[:-4]
    return body + CRC.pack(zlib.crc32(body))


def event_to_json(event: Event) -> dict[str, object]:
    """Return what identifies an event, without what is default."""
    entry: dict[str, object] = {"stage": event.stage, "name": event.name, "algorithm": event.algorithm}
    if event.detail is not None:
        entry["detail"] = event.detail
    if event.skipped is not None:
        entry["skipped"] = event.skipped
    if event.num_tensors:
        entry["tensors"] = event.num_tensors
    return entry


def spell_event(event: Event) -> bytes:
    """Return the text that stands for an event in the digest of a layout, in ASCII."""
    return json.dumps(event_to_json(event), sort_keys=True, separators=(",", ":")).encode("ascii")


def make_layout(events: tuple[Event, ...], spelled: Sequence[bytes] | None = None) -> Layout:
    """Return the layout of these events, with the digest that identifies it across runs.

    `spelled` is what `spell_event` returns for each, where that is known.
    """
    hasher = xxhash.xxh3_128(b"[")
    texts = map(spell_event, events) if spelled is None else spelled
    for position, text in enumerate(texts):
        if position:
            hasher.update(b",")
        hasher.update(text)
    hasher.update(b"]")
    return Layout(events=events, digest=hasher.digest(), num_tensors=sum(e.num_tensors for e in events))


def next_chain(chain: bytes, layout: Layout, step: int, flags: int, digests: bytes) -> bytes:
    """Return the chain after a frame: equal chains mean equal frames up to here."""
    return xxhash.xxh3_128_digest(LINK.pack(chain, layout.digest, step, flags) + digests)

"""The header of a safetensors file: 8 bytes with its size, JSON that tells where each tensor lies, then the tensors.

The format is simple enough to be read without its library, and a stranger's file must be checked before anything is
read by it. It is described at https://github.com/huggingface/safetensors (README, "Format", version 0.8).
"""

from __future__ import annotations

import json
from typing import Any, BinaryIO, Final, NamedTuple

SIZE_BYTES: Final = 8
METADATA: Final = "__metadata__"


class Entry(NamedTuple):
    """What the header tells of a tensor; `start` and `stop` count from the end of the header."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int


def read_header(file: BinaryIO, num_bytes: int, max_bytes: int) -> tuple[dict[str, Any], int]:
    """Return the header of a file of so many bytes, and where the tensors begin.

    Raises ValueError if it is no JSON, takes more than `max_bytes`, or has metadata that are not made of strings.
    """
    size = int.from_bytes(file.read(SIZE_BYTES), "little")
    start = SIZE_BYTES + size
    if start > num_bytes or size > max_bytes:
        raise ValueError(f"a header of {size} bytes in a file of {num_bytes}")
    try:
        header = json.loads(file.read(size).decode("utf-8"), object_pairs_hook=_refuse_duplicates)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"its header is no JSON ({error})") from None
    if not isinstance(header, dict):
        raise ValueError("its header is no object")  # noqa: TRY004  # what is read is bad, not how this is called
    metadata = header.get(METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        raise ValueError(f"{METADATA} is not made of strings")
    return header, start


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key comes twice")
    return found


def read_entries(header: dict[str, Any], num_bytes: int) -> list[Entry]:
    """Return the tensors of a header without metadata, by name.

    Raises ValueError unless each of the `num_bytes` bytes after the header belongs to exactly one of them.
    """
    entries = [_read_entry(name, fields) for name, fields in sorted(header.items())]
    position = 0
    for entry in sorted(entries, key=lambda entry: (entry.start, entry.stop)):
        if entry.start != position or entry.stop < entry.start:
            raise ValueError(f"{entry.name!r} lies at {entry.start} to {entry.stop}, not at {position}")
        position = entry.stop
    if position != num_bytes:
        raise ValueError(f"{num_bytes} bytes of tensors, and the header tells of {position}")
    return entries


def _read_entry(name: str, fields: Any) -> Entry:
    try:
        dtype, shape, (start, stop) = fields["dtype"], tuple(fields["shape"]), fields["data_offsets"]
        sizes = (start, stop, *shape)
    except (TypeError, KeyError, ValueError):
        raise ValueError(f"the header does not tell where {name!r} lies") from None
    if not isinstance(dtype, str) or any(type(size) is not int or size < 0 for size in sizes):
        raise ValueError(f"the header does not tell what {name!r} is")
    return Entry(name, dtype, shape, start, stop)

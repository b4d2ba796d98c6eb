"""Read safetensors files: 8 bytes with the size of a header, the header as JSON, then the tensors without gaps.

The format is simple enough to be read without its library, one tensor at a time; it is described at
https://github.com/huggingface/safetensors (README, "Format", version 0.8). Its writers are free in the order of keys
and of metadata, so both are taken in the order of their names.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, BinaryIO, Final, NamedTuple

import torch

from reproof.digest import CannotDigestError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_HEADER_BYTES: Final = 100_000_000
"""The library's own limit."""

SIZE_BYTES: Final = 8
METADATA: Final = "__metadata__"

_NAMES: Final = {
    "BOOL": "bool", "U8": "uint8", "I8": "int8", "U16": "uint16", "I16": "int16", "U32": "uint32", "I32": "int32",
    "U64": "uint64", "I64": "int64", "F16": "float16", "BF16": "bfloat16", "F32": "float32", "F64": "float64",
    "C64": "complex64", "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "F8_E4M3FNUZ": "float8_e4m3fnuz",
    "F8_E5M2FNUZ": "float8_e5m2fnuz", "F8_E8M0": "float8_e8m0fnu",
}  # fmt: skip


class Entry(NamedTuple):
    """What the header tells of a tensor; `start` and `stop` count from the end of the header."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int


def read_safetensors(path: Path) -> Iterator[tuple[str, Any]]:
    """Yield the tensors of a file and its metadata, in the order of their names; one tensor is in memory at a time.

    A tensor of an element type that PyTorch does not have is yielded as the error that says so. Raises
    CannotDigestError if the file is not what the format demands.
    """
    num_bytes = path.stat().st_size
    with path.open("rb") as file:
        header, start = read_header(file, num_bytes)
        metadata = header.pop(METADATA, None)
        entries = check_entries(header, num_bytes - start)
        if metadata is not None:
            yield f"[{METADATA!r}]", dict(sorted(metadata.items()))
        for entry in sorted(entries):
            try:
                value: Any = read_tensor(file, start, entry)
            except CannotDigestError as error:
                value = error
            yield f"[{entry.name!r}]", value


def read_header(file: BinaryIO, num_bytes: int) -> tuple[dict[str, Any], int]:
    """Return the header of a file of this size, and where the tensors begin.

    Raises CannotDigestError if there is none.
    """
    size = int.from_bytes(file.read(SIZE_BYTES), "little")
    start = SIZE_BYTES + size
    if num_bytes < SIZE_BYTES or start > num_bytes or size > MAX_HEADER_BYTES:
        raise CannotDigestError(f"no safetensors file: a header of {size} bytes in a file of {num_bytes}")
    try:
        header = json.loads(file.read(size).decode("utf-8"), object_pairs_hook=_refuse_duplicates)
    except (ValueError, RecursionError) as error:
        raise CannotDigestError(f"no safetensors file: its header is no JSON ({error})") from None
    if not isinstance(header, dict):
        raise CannotDigestError("no safetensors file: its header is no object")
    metadata = header.get(METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        raise CannotDigestError(f"no safetensors file: {METADATA} is not made of strings")
    return header, start


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key comes twice")
    return found


def check_entries(header: dict[str, Any], num_bytes: int) -> list[Entry]:
    """Return the entries of a header, which must tell of every byte after it exactly once.

    Raises CannotDigestError if they do not.
    """
    entries = [_read_entry(name, fields) for name, fields in header.items()]
    position = 0
    for entry in sorted(entries, key=lambda entry: (entry.start, entry.stop)):
        if entry.start != position or entry.stop < entry.start:
            raise CannotDigestError(f"damaged: {entry.name!r} lies at {entry.start} to {entry.stop}, not at {position}")
        position = entry.stop
    if position != num_bytes:
        raise CannotDigestError(f"damaged: {num_bytes} bytes of tensors, and the header tells of {position}")
    return entries


def _read_entry(name: str, fields: Any) -> Entry:
    try:
        dtype, shape, (start, stop) = fields["dtype"], tuple(fields["shape"]), fields["data_offsets"]
        sizes = (start, stop, *shape)
    except (TypeError, KeyError, ValueError):
        raise CannotDigestError(f"damaged: the header does not tell where {name!r} lies") from None
    if not isinstance(dtype, str) or any(type(size) is not int or size < 0 for size in sizes):
        raise CannotDigestError(f"damaged: the header does not tell what {name!r} is")
    return Entry(name, dtype, shape, start, stop)


def read_tensor(file: BinaryIO, start: int, entry: Entry) -> torch.Tensor:
    """Return a tensor of a file whose tensors begin at `start`.

    Raises CannotDigestError if its type is unknown, its size is not that of its shape, or the file has become shorter.
    """
    dtype = getattr(torch, _NAMES.get(entry.dtype, ""), None)
    num_bytes = entry.stop - entry.start
    if dtype is None:
        raise CannotDigestError(f"PyTorch {torch.__version__} has no elements of type {entry.dtype}")
    if math.prod(entry.shape) * dtype.itemsize != num_bytes:
        raise CannotDigestError(f"damaged: {num_bytes} bytes for {entry.dtype} of shape {list(entry.shape)}")
    if num_bytes == 0:
        return torch.empty(entry.shape, dtype=dtype, device="cpu")
    data = bytearray(num_bytes)
    file.seek(start + entry.start)
    if file.readinto(data) != num_bytes:  # type: ignore[attr-defined]  # BinaryIO has it, and does not say so
        raise CannotDigestError("the file has become shorter while it was read")
    return torch.frombuffer(data, dtype=dtype).reshape(entry.shape)

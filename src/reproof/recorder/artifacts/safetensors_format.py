"""Read safetensors files without their library, one tensor at a time.

Their writers are free in the order of keys and of metadata, so both are taken in the order of their names.
"""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import torch

from reproof.digest import CannotDigestError
from reproof.outputs.formats.tensor_headers import METADATA, read_entries, read_header

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reproof.outputs.formats.tensor_headers import Entry

MAX_HEADER_BYTES: Final = 100_000_000
"""The library's own limit."""

_NAMES: Final = {
    "BOOL": "bool", "U8": "uint8", "I8": "int8", "U16": "uint16", "I16": "int16", "U32": "uint32", "I32": "int32",
    "U64": "uint64", "I64": "int64", "F16": "float16", "BF16": "bfloat16", "F32": "float32", "F64": "float64",
    "C64": "complex64", "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "F8_E4M3FNUZ": "float8_e4m3fnuz",
    "F8_E5M2FNUZ": "float8_e5m2fnuz", "F8_E8M0": "float8_e8m0fnu",
}  # fmt: skip


def read_safetensors(path: Path) -> Iterator[tuple[str, Any]]:
    """Yield the tensors of a file and its metadata, in the order of their names; one tensor is in memory at a time.

    A tensor of an element type that PyTorch does not have is yielded as the error that says so. Raises
    CannotDigestError if the file is not what the format demands.
    """
    num_bytes = path.stat().st_size
    with path.open("rb") as file:
        with _refusing("no safetensors file"):
            header, start = read_header(file, num_bytes, MAX_HEADER_BYTES)
        metadata = header.pop(METADATA, None)
        with _refusing("damaged"):
            entries = read_entries(header, num_bytes - start)
        if metadata is not None:
            yield f"[{METADATA!r}]", dict(sorted(metadata.items()))
        for entry in entries:
            try:
                value: Any = read_tensor(file, start, entry)
            except CannotDigestError as error:
                value = error
            yield f"[{entry.name!r}]", value


@contextmanager
def _refusing(what: str) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise CannotDigestError(f"{what}: {error}") from None


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

"""Weights as safetensors without metadata, and their canonical digest.

Files of equal weights can differ (order of keys, padding, metadata), so weights are identified by the digest of their
content: for each tensor, in the order of names, its name, element type, shape and little-endian bytes. The format is
described at https://github.com/huggingface/safetensors (README, "Format", version 0.8). Nothing here imports PyTorch:
bundles are verified where it is not installed.
"""

from __future__ import annotations

import hashlib
import json
import math
import sys
from typing import TYPE_CHECKING, Any, BinaryIO, Final, NamedTuple

from reproof.errors import BundleError
from reproof.outputs.formats.tensor_headers import METADATA, SIZE_BYTES, read_entries, read_header

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from reproof.outputs.formats.tensor_headers import Entry

MAX_HEADER_BYTES: Final = 16 << 20
"""Room for a hundred thousand tensors; the library's own limit is 100 MB."""

MAX_DIMENSIONS: Final = 64
ALIGNMENT: Final = 8

TYPES: Final = {
    "bool": ("BOOL", 1), "uint8": ("U8", 1), "int8": ("I8", 1), "uint16": ("U16", 2), "int16": ("I16", 2),
    "uint32": ("U32", 4), "int32": ("I32", 4), "uint64": ("U64", 8), "int64": ("I64", 8), "float16": ("F16", 2),
    "bfloat16": ("BF16", 2), "float32": ("F32", 4), "float64": ("F64", 8), "complex64": ("C64", 8),
    "float8_e4m3fn": ("F8_E4M3", 1), "float8_e5m2": ("F8_E5M2", 1),
}  # fmt: skip
_SIZES: Final = dict(TYPES.values())
_REMEDY: Final = "nothing of it was used; write the weights again"


class WeightTensor(NamedTuple):
    """One tensor: `data` are its elements in row-major order, little-endian; `dtype` is safetensors' name."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    data: bytes


def collect_weights(state: Mapping[str, Any]) -> tuple[WeightTensor, ...]:
    """Return the tensors of a `state_dict`, copied to host memory, in the order of names.

    Raises BundleError if a tensor has no plain content, or a type that safetensors lacks. Effects: waits for the device
    of a tensor that is not in host memory.
    """
    from reproof.digest import copy_bytes

    found = []
    for name, tensor in sorted(state.items()):
        if not (hasattr(tensor, "dtype") and hasattr(tensor, "shape")):
            continue  # extra state of a module is not a weight
        dtype = str(tensor.dtype).removeprefix("torch.")
        data = copy_bytes(tensor) if dtype in TYPES else None
        if data is None or sys.byteorder != "little":
            problem = f"the weight {name!r} of type {dtype} cannot be kept"
            raise BundleError(problem, "keep dense tensors of plain types")
        found.append(WeightTensor(name, TYPES[dtype][0], tuple(tensor.shape), data))
    return tuple(found)


def digest_weights(tensors: Iterable[WeightTensor]) -> str:
    """Return the canonical sha256 of weights, hexadecimal; the order in which they are given does not count."""
    digest = hashlib.sha256()
    for tensor in sorted(tensors):
        head = json.dumps([tensor.name, tensor.dtype, list(tensor.shape), len(tensor.data)]).encode()
        digest.update(len(head).to_bytes(8, "little") + head)
        digest.update(tensor.data)
    return digest.hexdigest()


def write_weights(path: Path, tensors: Iterable[WeightTensor]) -> None:
    """Write a safetensors file without metadata: the same weights are the same bytes. Effects: creates the file."""
    ordered = sorted(tensors, key=lambda tensor: (-_SIZES[tensor.dtype], tensor.name))  # so that all are aligned
    header: dict[str, Any] = {}
    position = 0
    for tensor in ordered:
        offsets = [position, position + len(tensor.data)]
        header[tensor.name] = {"dtype": tensor.dtype, "shape": list(tensor.shape), "data_offsets": offsets}
        position = offsets[1]
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % ALIGNMENT)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(SIZE_BYTES, "little") + text)
        for tensor in ordered:
            file.write(tensor.data)


def read_weights(path: Path) -> Iterator[WeightTensor]:
    """Yield the tensors of a safetensors file in the order of names; one is in memory at a time.

    Raises BundleError if the file does not follow the format.
    """
    num_bytes = path.stat().st_size
    with path.open("rb") as file:
        try:
            entries, start = _read_entries(file, num_bytes)
        except ValueError as error:
            raise _damaged(path.name, " ".join(str(error).split())[:120]) from None
        for entry in entries:
            file.seek(start + entry.start)
            data = file.read(entry.stop - entry.start)
            if len(data) != entry.stop - entry.start:
                raise _damaged(path.name, "it has become shorter")
            yield WeightTensor(entry.name, entry.dtype, entry.shape, data)


def _read_entries(file: BinaryIO, num_bytes: int) -> tuple[list[Entry], int]:
    header, start = read_header(file, num_bytes, MAX_HEADER_BYTES)
    if METADATA in header:
        raise ValueError("it has metadata, which weights of a bundle have not")
    entries = read_entries(header, num_bytes - start)
    for name, dtype, shape, begin, end in entries:
        if dtype not in _SIZES or len(shape) > MAX_DIMENSIONS:
            raise ValueError(f"{name!r} has the type {dtype!r:.20}")
        if math.prod(shape) * _SIZES[dtype] != end - begin:
            raise ValueError(f"{name!r} has {end - begin} bytes for {dtype} of shape {list(shape)}")
    return entries, start


def _damaged(source: str, why: str) -> BundleError:
    return BundleError(f"{source} is no safetensors file of a bundle: {why}", _REMEDY, slug="bundle-weights")

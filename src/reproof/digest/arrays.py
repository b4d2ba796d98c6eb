"""numpy arrays and scalars to digests; element types that PyTorch has too get the digest of the equal tensor.

What is no part of the content must not count: padding between fields and inside extended-precision numbers holds
whatever was in memory before. Left out: array-likes of other libraries, whose content is not known.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeGuard

from reproof.digest.hashing import CannotDigestError, HostData, combine, digest_data, type_name
from reproof.digest.plain import digest_encoded, digest_text

try:
    import numpy as np
except ImportError:  # PyTorch runs without numpy, and then no value is an array
    np = None  # type: ignore[assignment]
    _ARRAY_TYPES: tuple[type, ...] = ()
else:
    _ARRAY_TYPES = (np.ndarray, np.generic)

if TYPE_CHECKING:
    import numpy.typing as npt

    Array: TypeAlias = npt.NDArray[Any] | np.generic

_NAMES: Final = {
    "b": "bool", "i": "int", "u": "uint", "f": "float", "c": "complex", "S": "bytes", "U": "str", "V": "void",
}  # fmt: skip
_EXTENDED: Final = {"f": "float80", "c": "complex160"}
_EXTENDED_MANTISSA_BITS: Final = 63
_EXTENDED_BYTES: Final = 10


def is_array(value: object) -> TypeGuard[Array]:
    """Whether a value is a numpy array or scalar."""
    return isinstance(value, _ARRAY_TYPES)


def digest_array(array: Array) -> bytes:
    """Return the 16-byte digest of a numpy array or scalar: element type, shape and exact bits in row-major order.

    A scalar counts as an array without dimensions. Memory layout, padding, subclasses and metadata of the dtype do
    not count; byte order does, and so do -0.0 and the payload of a NaN. A masked array is its data (masked elements
    too) and its mask. Objects and variable-width strings are digested one by one, as `digest_plain` does.

    Raises:
        CannotDigestError: If the elements are neither numbers, strings, dates, records nor plain values.
    """
    if not is_array(array):
        raise CannotDigestError(f"value of type {type_name(array)}: not a numpy array")
    if _is_masked(array):
        parts = np.ma.getdata(array), np.ma.getmaskarray(array)
        return combine("masked", array.shape, map(digest_array, parts))
    plain = np.asarray(array)
    names = plain.dtype.names
    if names is not None:
        fields = ((digest_text(name), digest_array(plain[name])) for name in names)
        return combine("struct", plain.shape, (part for field in fields for part in field))
    if plain.dtype.kind in "OT":
        kind = "object" if plain.dtype.kind == "O" else "string"
        return combine(kind, plain.shape, (digest_encoded(item, digest_array_leaf) for item in plain.ravel().tolist()))
    return digest_data(locate_array(plain))


def digest_array_leaf(value: object) -> bytes | None:
    """Return the digest of an array, or None for anything else."""
    return digest_array(value) if is_array(value) else None


def locate_array(array: Array) -> HostData:
    """Return the elements of an array of fixed-size elements, in place where they are contiguous.

    Raises CannotDigestError if the elements are objects or records, or the array is masked.
    """
    plain = np.asarray(array)
    dtype = plain.dtype
    if dtype.names is not None or _is_masked(array):
        raise CannotDigestError(f"array of {dtype}: it is made of several arrays")
    kind = _kind_of(dtype)
    raw = np.ascontiguousarray(plain).reshape(-1).view(np.uint8)
    if kind.endswith(tuple(_EXTENDED.values())):
        raw = _without_padding(raw, dtype)
    return HostData(kind, plain.shape, raw.data, raw)


def _is_masked(array: object) -> bool:
    masked = sys.modules.get("numpy.ma")
    return masked is not None and isinstance(array, masked.MaskedArray)


def _kind_of(dtype: np.dtype[Any]) -> str:
    """Return the canonical name of an element type, with ``>`` in front where it is stored big-endian."""
    big_endian = dtype.byteorder == ">" or (dtype.byteorder == "=" and sys.byteorder == "big")
    return (">" if big_endian else "") + _name_of(dtype)


def _name_of(dtype: np.dtype[Any]) -> str:
    if dtype.type.__module__ == "ml_dtypes" or dtype.kind in "mM":
        return dtype.name  # ml_dtypes uses PyTorch's names
    if _is_extended(dtype):
        return _EXTENDED[dtype.kind]
    name = _NAMES.get(dtype.kind)
    if name is None or dtype.hasobject or (dtype.kind == "V" and dtype.type is not np.void):
        raise CannotDigestError(f"array of {dtype}: its elements are not known to be plain data")
    return name if name == "bool" else f"{name}{8 * dtype.itemsize}"


def _is_extended(dtype: np.dtype[Any]) -> bool:
    """Whether elements are x87 numbers: 10 bytes of value, stored in 12 or 16."""
    is_long = dtype.type in {np.longdouble, np.clongdouble}
    return is_long and np.finfo(np.longdouble).nmant == _EXTENDED_MANTISSA_BITS


def _without_padding(raw: npt.NDArray[np.uint8], dtype: np.dtype[Any]) -> npt.NDArray[np.uint8]:
    numbers = raw.reshape(-1, np.dtype(np.longdouble).itemsize)
    kept = numbers[:, :_EXTENDED_BYTES] if dtype.isnative else numbers[:, -_EXTENDED_BYTES:]
    return np.ascontiguousarray(kept).reshape(-1)

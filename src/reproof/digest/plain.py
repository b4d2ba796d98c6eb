"""Canonical bytes of plain Python values: two values have the same bytes only if they are the same.

Every item is a tag, a length and a payload, so no two sequences of items can run into each other. The grammar stands
in `docs/digests.md`. Left out: tensors and arrays, which a `Leaf` digests, so that this module needs neither library.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeAlias

from xxhash import xxh3_128_digest

from reproof.digest.hashing import CannotDigestError, seed_of, type_name

Leaf: TypeAlias = Callable[[object], "bytes | None"]
"""Returns the digest of a value that is not plain, or None if it does not know its type."""

_HEAD: Final = struct.Struct("<cQ")
_DOUBLE: Final = struct.Struct("<d")
_COMPLEX: Final = struct.Struct("<dd")


def digest_encoded(value: object, leaf: Leaf) -> bytes:
    """Return the digest of a plain value whose other parts `leaf` digests.

    Raises CannotDigestError if a part is neither plain nor known to `leaf`, or contains itself.
    """
    try:
        return xxh3_128_digest(_encode(value, leaf), seed_of("plain", ()))
    except RecursionError:
        raise CannotDigestError(f"{type_name(value)}: it is nested too deeply, or in itself") from None


def digest_text(text: str) -> bytes:
    """Return the digest of a string, as `digest_plain` gives it."""
    return digest_encoded(text, refuse)


def refuse(_value: object) -> bytes | None:
    """Refuse every leaf: the value must be plain throughout."""
    return None


def _encode(value: object, leaf: Leaf) -> bytes:
    encoder = _ENCODERS.get(type(value))
    if encoder is None:
        digest = leaf(value)  # before the base classes: numpy.float64 is a float
        if digest is not None:
            return _item(b"a", digest)
        encoder = next((_ENCODERS[base] for base in type(value).__mro__ if base in _ENCODERS), None)
    if encoder is None:
        raise CannotDigestError(f"value of type {type_name(value)}: its content is not known to be plain data")
    return encoder(value, leaf)


def _item(tag: bytes, payload: bytes) -> bytes:
    return _HEAD.pack(tag, len(payload)) + payload


def _items(tag: bytes, parts: list[bytes]) -> bytes:
    return _HEAD.pack(tag, len(parts)) + b"".join(parts)


def _encode_none(_value: None, _leaf: Leaf) -> bytes:
    return _item(b"n", b"")


def _encode_bool(value: bool, _leaf: Leaf) -> bytes:  # noqa: FBT001  # the value itself
    return _item(b"b", b"\1" if value else b"\0")


def _encode_int(value: int, _leaf: Leaf) -> bytes:
    return _item(b"i", value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True))


def _encode_float(value: float, _leaf: Leaf) -> bytes:
    return _item(b"f", _DOUBLE.pack(value))


def _encode_complex(value: complex, _leaf: Leaf) -> bytes:
    return _item(b"c", _COMPLEX.pack(value.real, value.imag))


def _encode_str(value: str, _leaf: Leaf) -> bytes:
    return _item(b"s", value.encode("utf-8", "surrogatepass"))


def _encode_bytes(value: bytes, _leaf: Leaf) -> bytes:
    return _item(b"y", value)


def _encode_list(value: Iterable[object], leaf: Leaf) -> bytes:
    return _items(b"l", [_encode(item, leaf) for item in value])


def _encode_tuple(value: Iterable[object], leaf: Leaf) -> bytes:
    return _items(b"t", [_encode(item, leaf) for item in value])


def _encode_range(value: range, leaf: Leaf) -> bytes:
    return _items(b"r", [_encode(bound, leaf) for bound in (value.start, value.stop, value.step)])


def _encode_dict(value: dict[object, object], leaf: Leaf) -> bytes:
    return _items(b"d", [_encode(key, leaf) + _encode(item, leaf) for key, item in value.items()])


def _encode_set(value: Iterable[object], leaf: Leaf) -> bytes:
    return _items(b"u", sorted(_encode(item, leaf) for item in value))


def _encode_frozenset(value: Iterable[object], leaf: Leaf) -> bytes:
    return _items(b"z", sorted(_encode(item, leaf) for item in value))


_ENCODERS: Final[dict[type, Callable[[Any, Leaf], bytes]]] = {
    type(None): _encode_none,
    bool: _encode_bool,
    int: _encode_int,
    float: _encode_float,
    complex: _encode_complex,
    str: _encode_str,
    bytes: _encode_bytes,
    list: _encode_list,
    tuple: _encode_tuple,
    range: _encode_range,
    dict: _encode_dict,
    set: _encode_set,
    frozenset: _encode_frozenset,
}

"""Collect the parts of a file, bounded in number, each with a digest of what is there and one without known noise."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from xxhash import xxh3_128

from reproof.outputs.masks import mask_line, mask_name
from reproof.outputs.records import Part, digest_bytes, digest_text, shorten
from reproof.outputs.vocabulary import is_result

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reproof.outputs.surroundings import Surroundings

MAX_PARTS: Final = 20_000
CHUNK_BYTES: Final = 1 << 20
MAX_MEMORY_BYTES: Final = 256 << 20
"""What a reader may take into memory at once: a larger file, or member of an archive, is compared by its bytes."""
REST: Final = "the rest"
_CONTAINERS: Final = frozenset(
    [
        "metric",
        "metrics",
        "output",
        "outputs",
        "q",
        "r",
        "result",
        "results",
        "score",
        "scores",
        "value",
        "values",
        "true",
    ]
)
"""Words of results that are names of any group of values; what is within them is judged by its own name."""
_WORDS: Final = re.compile(r"[A-Za-z]{1,40}")


class PartCollector:
    """Takes the parts of one file in their order."""

    def __init__(self, surroundings: Surroundings, max_parts: int = MAX_PARTS) -> None:
        """Begin with none."""
        self.surroundings = surroundings
        self.notes: list[str] = []
        self._max_parts = max_parts
        self._parts: list[Part] = []
        self._rest: tuple[xxh3_128, xxh3_128] | None = None
        self._num_rest = 0

    def add(self, name: str, digest: str, text: str, masked: str | None = None) -> None:
        """Add a part; beyond the limit it counts in one digest over all the rest."""
        masked = digest if masked is None else masked
        if len(self._parts) < self._max_parts:
            self._parts.append(Part(name=name, digest=digest, masked=masked, text=shorten(text)))
            return
        if self._rest is None:
            self._rest = xxh3_128(), xxh3_128()
        self._num_rest += 1
        for hasher, told in zip(self._rest, (digest, masked), strict=True):
            hasher.update(f"{name}\0{told}\0".encode("utf-8", "surrogatepass"))

    def add_text(self, name: str, text: str) -> None:
        """Add a line of text; runs of blanks count as one."""
        shown = " ".join(text.split())
        masked, count = (shown, 0) if self._is_full() else mask_line(text, self.surroundings)
        self.add(name, digest_text(shown), shown, digest_text(masked) if count else None)

    def add_row(self, name: str, cells: Iterable[tuple[str, str]]) -> None:
        """Add a row of a table: the name of each column and the cell."""
        cells = list(cells)
        texts = [cell for _, cell in cells]
        masked = texts if self._is_full() else [self.mask_value(cell, (key,)) for key, cell in cells]
        digest = digest_text("\0".join(texts))
        self.add(name, digest, ", ".join(texts), None if masked == texts else digest_text("\0".join(masked)))

    def add_value(self, name: str, value: object, keys: tuple[str, ...] = ()) -> None:
        """Add a plain value.

        Of a float its bits count. The last of `keys`, the names that lead to it from outside, tells whether it is a
        duration.
        """
        if isinstance(value, (bytes, bytearray)):
            self.add(name, digest_bytes(value), f"{len(value)} bytes")
            return
        text = value if isinstance(value, str) else repr(value)
        exact = f"{type(value).__name__} {_bits(value)}"
        masked = text if self._is_full() else self.mask_value(text, keys)
        self.add(name, digest_text(exact), text, None if masked == text else digest_text(masked))

    def mask_value(self, text: str, keys: tuple[str, ...]) -> str:
        """Return a value with known noise masked, as if it were printed after its name; itself if there is none."""
        if any(_is_result_group(key) for key in keys[:-1]):
            return mask_name(text, self.surroundings) if text.startswith("/") else text  # a path states no result
        label = f"{keys[-1]}: " if keys else ""
        masked, count = mask_line(f"{label}{text}", self.surroundings)
        return masked if count else text

    def add_bytes(self, name: str, data: bytes | memoryview, text: str = "") -> None:
        """Add bytes, with what is shown of them."""
        self.add(name, digest_bytes(data), text or f"{len(data)} bytes")

    def add_stream(self, name: str, stream: BinaryIO, text: str = "") -> None:
        """Add all that a stream still gives, a megabyte at a time in memory."""
        hasher, size = xxh3_128(), 0
        while chunk := stream.read(CHUNK_BYTES):
            hasher.update(chunk)
            size += len(chunk)
        self.add(name, hasher.hexdigest(), text or f"{size} bytes")

    def _is_full(self) -> bool:
        """Whether further parts count in one: no time is spent on masking them."""
        return len(self._parts) >= self._max_parts

    def finish(self) -> tuple[Part, ...]:
        """Return the parts."""
        if self._rest is None:
            return tuple(self._parts)
        digest, masked = (hasher.hexdigest() for hasher in self._rest)
        rest = Part(name=REST, digest=digest, masked=masked, text=f"{self._num_rest} parts")
        return (*self._parts, rest)


class PrefixedCollector(PartCollector):
    """Collects the parts of a member for the collector of its archive, under the member's name."""

    def __init__(self, outer: PartCollector, prefix: str) -> None:
        """Begin a member of `outer`."""
        super().__init__(outer.surroundings)
        self._outer = outer
        self._prefix = prefix

    def add(self, name: str, digest: str, text: str, masked: str | None = None) -> None:
        """Add a part to the archive."""
        self._parts.append(
            Part(name=f"{self._prefix}{name}", digest=digest, masked=masked or digest, text=shorten(text))
        )

    def deliver(self) -> None:
        """Give the parts to the archive: only once the member was read to its end."""
        for part in self._parts:
            self._outer.add(part.name, part.digest, part.text, part.masked)
        self._outer.notes += self.notes


def read_all(stream: BinaryIO) -> bytes:
    """Return all that a stream gives. Raises ValueError if that is more than may be in memory."""
    data = stream.read(MAX_MEMORY_BYTES + 1)
    if len(data) > MAX_MEMORY_BYTES:
        raise ValueError(f"more than {MAX_MEMORY_BYTES >> 20} MiB")
    return data


def _bits(value: object) -> str:
    if isinstance(value, float):
        return struct.pack("<d", value).hex()
    if isinstance(value, complex):
        return struct.pack("<dd", value.real, value.imag).hex()
    return value if isinstance(value, str) else repr(value)


def _is_result_group(key: Any) -> bool:
    """Whether a name says that what is within it are results of one kind: ``{"mae": {"train_time": 3.2}}``."""
    return any(is_result(word) and word.lower() not in _CONTAINERS for word in _WORDS.findall(str(key)))

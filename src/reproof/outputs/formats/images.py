"""Pictures: PNG and JPEG by what is drawn, and apart from it what they tell of themselves (software, dates)."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, BinaryIO, Final

from xxhash import xxh3_128

from reproof.outputs.formats.parts import read_all

if TYPE_CHECKING:
    from reproof.outputs.formats.parts import PartCollector

PNG_MAGIC: Final = b"\x89PNG\r\n\x1a\n"
JPEG_MAGIC: Final = b"\xff\xd8\xff"
_TEXTS: Final = (b"tEXt", b"zTXt", b"iTXt")
_STANDALONE: Final = frozenset({0x01, *range(0xD0, 0xD9)})
_SCAN: Final = 0xDA
_COMMENT: Final = 0xFE
_MAX_TEXT_BYTES: Final = 1 << 20


def read_png(stream: BinaryIO, parts: PartCollector) -> None:
    """Read the chunks of a PNG picture; ``tIME`` is when it was saved and is left out.

    Raises ValueError, struct.error if it is damaged.
    """
    data = read_all(stream)
    pixels, position = xxh3_128(), len(PNG_MAGIC)
    while position < len(data):
        size, kind = struct.unpack_from(">I4s", data, position)
        content = data[position + 8 : position + 8 + size]
        if len(content) != size:
            raise ValueError("cut off")
        if kind in _TEXTS:
            _add_text_chunk(kind, content, parts)
        elif kind != b"tIME":
            pixels.update(kind + content)
        position += size + 12
    parts.add("picture", pixels.hexdigest(), f"{len(data)} bytes")


def read_jpeg(stream: BinaryIO, parts: PartCollector) -> None:
    """Read the segments of a JPEG picture: comments and what applications add (Exif) apart from the picture.

    Raises ValueError, struct.error, IndexError if it is damaged.
    """
    data = read_all(stream)
    pixels, position = xxh3_128(), 2
    while position < len(data):
        if data[position] != 0xFF:  # noqa: PLR2004  # where a segment begins
            raise ValueError("no segment")
        kind = data[position + 1]
        if kind in _STANDALONE:
            position += 2
            continue
        (size,) = struct.unpack_from(">H", data, position + 2)
        content = data[position + 4 : position + 2 + size]
        if kind == _COMMENT or 0xE1 <= kind <= 0xEF:  # noqa: PLR2004  # APP1 to APP15
            parts.add_text(f"segment {kind:X}", content.decode("latin-1"))
        else:
            pixels.update(data[position : position + 2 + size])
        position += 2 + size
        if kind == _SCAN:
            pixels.update(memoryview(data)[position:])
            break
    parts.add("picture", pixels.hexdigest(), f"{len(data)} bytes")


def _add_text_chunk(kind: bytes, content: bytes, parts: PartCollector) -> None:
    key, _, text = content.partition(b"\0")
    if kind == b"zTXt":
        text = zlib.decompressobj().decompress(text[1:], _MAX_TEXT_BYTES)
    name = key.decode("latin-1")
    parts.add_value(f"text {name!r}", text.decode("latin-1"), (name,))

"""Drawings and documents: PDF, PostScript and SVG without the date of their making and without random names.

matplotlib gives clip paths and markers of an SVG random names, and a PDF or PostScript file says when it was made. The
names are renamed in the order in which they come; the dates are left out.
"""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING, BinaryIO, Final

from reproof.outputs.formats.parts import read_all
from reproof.outputs.formats.text import decode
from reproof.outputs.records import digest_bytes

if TYPE_CHECKING:
    from reproof.outputs.formats.parts import PartCollector

_PDF_DATE: Final = re.compile(
    rb"/(?:CreationDate|ModDate|Producer|Creator)\s{0,8}(?:\([^()]{0,256}\)|<[0-9A-Fa-f]{0,512}>)"
)
_PDF_ID: Final = re.compile(rb"/ID\s{0,8}\[[^\[\]]{0,512}\]")
_PDF_STREAM: Final = re.compile(rb"stream\r?\n")
_PDF_REFERENCES: Final = re.compile(
    rb"(?<=\n)(?:xref\r?\n(?:[0-9 ]{1,24}[fn]? ?\r?\n){0,100000}|startxref\s{0,4}\d{1,12})"
)
_XMP_DATE: Final = re.compile(
    rb"<xmp:(CreateDate|ModifyDate|MetadataDate)>[^<]{0,64}</xmp:\1>|(?:uuid|xmp\.[di]id):[0-9a-fA-F-]{32,40}"
)
_PS_DATE: Final = re.compile(r"%%(?:CreationDate|Creator|Title|For):")
_SVG_DATE: Final = re.compile(r"<(dc:date|xmp:\w{1,24}Date)>[^<]{0,64}</\1>")
_SVG_ID: Final = re.compile(r"\bid=\"([^\"]{1,256})\"")
_SVG_NAME: Final = re.compile(r"(?<=#)[\w.:-]{1,256}|(?<=id=\")[^\"]{1,256}")
_RANDOM_ID: Final = re.compile(r"[a-z_]{0,12}[0-9a-f]{8,64}")


def read_pdf(stream: BinaryIO, parts: PartCollector) -> None:
    """Read a PDF file: its text outside streams without dates, IDs and the table of offsets, and each of its streams.

    Raises ValueError if it is damaged.
    """
    data = read_all(stream)
    outside: list[bytes] = []
    position, number = 0, 0
    while (start := _PDF_STREAM.search(data, position)) is not None:
        end = data.find(b"endstream", start.end())
        if end < 0:
            raise ValueError("cut off")
        outside.append(data[position : start.start()])
        parts.add_bytes(f"stream {number}", _clean_stream(data[start.end() : end].rstrip(b"\r\n")))
        position, number = end + len(b"endstream"), number + 1
    outside.append(data[position:])
    text = _PDF_REFERENCES.sub(b"", _PDF_ID.sub(b"", _PDF_DATE.sub(b"", b"".join(outside))))
    parts.add("structure", digest_bytes(re.sub(rb"/Length \d{1,12}", b"", text)), f"{len(text)} bytes")


def _clean_stream(data: bytes) -> bytes:
    """Return what is in a stream, unpacked where it is packed, without the dates of its metadata."""
    unpacker = zlib.decompressobj()
    try:
        unpacked = unpacker.decompress(data, 64 << 20)
    except zlib.error:
        unpacked = data
    return _XMP_DATE.sub(b"", unpacked)


def read_postscript(stream: BinaryIO, parts: PartCollector) -> None:
    """Read a PostScript file by lines, without those that tell when, by what and for whom it was made.

    Raises ValueError if it is no text.
    """
    for number, line in enumerate(decode(read_all(stream)).splitlines(), start=1):
        if _PS_DATE.match(line) is None:
            parts.add_text(f"line {number}", line)


def read_svg(stream: BinaryIO, parts: PartCollector) -> None:
    """Read an SVG drawing by lines, without its date, and with random names numbered in their order.

    Raises ValueError if it is no text.
    """
    text = _SVG_DATE.sub("", decode(read_all(stream)))
    numbers: dict[str, int] = {}
    for name in _SVG_ID.findall(text):
        if _RANDOM_ID.fullmatch(name):
            numbers.setdefault(name, len(numbers))
    renamed = _SVG_NAME.sub(lambda match: f"name{numbers[match[0]]}" if match[0] in numbers else match[0], text)
    for number, line in enumerate(renamed.splitlines(), start=1):
        parts.add_text(f"line {number}", line)

"""Files of text: lines as they would be printed, JSON by its values, tables by their rows."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from reproof.outputs.formats.parts import read_all
from reproof.outputs.lines import split_lines
from reproof.outputs.records import COLUMNS

if TYPE_CHECKING:
    from reproof.outputs.formats.parts import PartCollector

MAX_TEXT_BYTES: Final = 64 << 20
_DELIMITERS: Final = ",\t;|"


class Raw(str):
    """A number of a JSON file as it is written: two numbers are the same only if they are written the same."""

    __slots__ = ()


def read_lines(stream: BinaryIO, parts: PartCollector) -> None:
    """Read a file of text line by line. Raises ValueError if it is no text."""
    for number, line in enumerate(split_lines(decode(read_all(stream))), start=1):
        parts.add_text(f"line {number}", line)


def read_json(stream: BinaryIO, parts: PartCollector) -> None:
    """Read a JSON file value by value; one that is damaged or holds several objects, line by line."""
    text = decode(read_all(stream))
    try:
        value = json.loads(text, parse_float=Raw, parse_int=Raw, parse_constant=Raw, object_pairs_hook=_Pairs)
        _walk(value, "", (), parts)
    except (ValueError, RecursionError):
        read_lines(io.BytesIO(text.encode("utf-8", "surrogateescape")), parts)


def read_table(stream: BinaryIO, parts: PartCollector) -> None:
    """Read a file of comma- or tab-separated values row by row; the first row names the columns.

    Raises ValueError if it is no text and csv.Error if it is damaged.
    """
    text = decode(read_all(stream))
    first = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=first.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    columns = next(rows, [])
    parts.add_row(COLUMNS, (("", name) for name in columns))
    for number, row in enumerate(rows, start=1):
        names = columns if len(columns) == len(row) else [""] * len(row)
        parts.add_row(f"row {number}", zip(names, row, strict=True))


def decode(data: bytes) -> str:
    """Return the text of bytes. Raises ValueError if they are no text, or too long for one."""
    if b"\0" in data[:8192] or len(data) > MAX_TEXT_BYTES:
        raise ValueError("no text")
    return data.decode("utf-8", "surrogateescape").removeprefix("\ufeff")


class _Pairs(list[tuple[str, Any]]):
    """The members of a JSON object in their order; a name may come twice."""


def _walk(value: object, name: str, keys: tuple[str, ...], parts: PartCollector) -> None:
    if isinstance(value, _Pairs):
        for key, item in value:
            _walk(item, f"{name}[{key!r}]", (*keys, key), parts)
        if not value:
            parts.add_value(name, "{}", keys)
    elif isinstance(value, list):
        for position, item in enumerate(value):
            _walk(item, f"{name}[{position}]", keys, parts)
        parts.add_value(f"len({name})", len(value))
    else:
        parts.add_value(name, value, keys)

"""Lines of text for a person at a terminal: sections, the first few of many, and what a terminal may print."""

from __future__ import annotations

import re
import shutil
import sys
from typing import TYPE_CHECKING, Final

import click

from reproof.schema.telling import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_SHOWN = 8
MIN_WIDTH: Final = 40
LABEL: Final = re.compile(r"\s*(?:\S+ {2,})?")
"""What stands before the text of a line: its indent, and a label with two or more spaces behind it."""


def echo_lines(lines: Iterable[str]) -> None:
    """Print lines, none longer than the terminal is wide; into a file or a pipe each goes as it is."""
    width = find_width()
    for line in lines:
        for part in [line] if width is None else wrap(line, width):
            click.echo(part)


def find_width() -> int | None:
    """Return how wide the terminal is, in characters; None where nobody looks at one."""
    return max(MIN_WIDTH, shutil.get_terminal_size().columns) if sys.stdout.isatty() else None


def wrap(line: str, width: int) -> list[str]:
    """Return a line in parts of at most a width, later ones under the text of the first; colours count for nothing.

    A word that is longer than the width, such as a path, stays whole.
    """
    plain = click.unstyle(line)
    if len(plain) <= width:
        return [line]
    label = LABEL.match(plain)
    hang = min(len(label[0]) if label else 0, width // 2)
    indent = len(plain) - len(plain.lstrip(" "))
    parts, current, used = [], line[:indent], indent
    for piece in re.findall(r" *[^ ]+", line[indent:]):
        size = len(click.unstyle(piece))
        if used + size > width and used > hang:
            parts.append(current)
            word = piece.lstrip(" ")
            current, used = " " * hang + word, hang + len(click.unstyle(word))
        else:
            current, used = current + piece, used + size
    return [*parts, current]


def section(title: str, lines: list[str]) -> list[str]:
    """Return lines under a title; nothing if there are no lines."""
    return ["", f"{title}:", *(f"  {line}" for line in lines)] if lines else []


def limit(lines: tuple[str, ...]) -> list[str]:
    """Return the first lines, and how many there are beyond."""
    more = [f"… and {len(lines) - MAX_SHOWN} more"] if len(lines) > MAX_SHOWN else []
    return [*map(printable, lines[:MAX_SHOWN]), *more]

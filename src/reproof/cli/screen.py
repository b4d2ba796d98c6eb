"""What standard output can show: its width, encoding and characters."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from typing import Final

from reproof.schema.telling import printable

MIN_COLUMNS: Final = 60
MAX_COLUMNS: Final = 100
COERCED: Final = frozenset({"C.UTF-8", "C.utf8", "UTF-8"})
"""What Python sets LC_CTYPE to where it finds the locale C (PEP 538)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """Where lines are shown.

    Attributes:
        width: Characters per line that the drawing uses.
        encoding: What standard output is encoded in.
        is_unicode: Whether blocks, lines and an ellipsis can be drawn.
    """

    width: int = 80
    encoding: str = "utf-8"
    is_unicode: bool = True

    def fit(self, line: str) -> str:
        """Return a line that can be printed whatever it holds: names in a trace may have any characters.

        Control characters, which could steer the terminal, are spelled out; those of `click.style` must come later.
        """
        shown = printable(line)
        if not self.is_unicode:
            shown = shown.replace("…", "...")
        return shown.encode(self.encoding, "backslashreplace").decode(self.encoding)


def find_screen() -> Screen:
    """Return what standard output can show."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    columns = shutil.get_terminal_size().columns
    return Screen(
        width=min(max(columns, MIN_COLUMNS), MAX_COLUMNS),
        encoding=encoding,
        is_unicode=encodes_blocks(encoding) and not asks_for_ascii(),
    )


def encodes_blocks(encoding: str) -> bool:
    """Whether an encoding has the characters of a plot."""
    try:
        "▚│…".encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def asks_for_ascii() -> bool:
    """Whether the user has set the locale C or POSIX, also where Python prints UTF-8 nonetheless."""
    kind = os.environ.get("LC_CTYPE")
    settings = (os.environ.get("LC_ALL"), None if kind in COERCED else kind, os.environ.get("LANG"))
    return next(filter(None, settings), "") in {"C", "POSIX"}

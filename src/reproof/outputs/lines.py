"""From pieces of text, as a program writes them, to the lines that are left standing on a screen.

A progress bar is drawn over itself a hundred times a second: what a carriage return or a cursor movement overwrites is
no line, and how often it was drawn tells the time and nothing else. Lines without a visible character are none either.

Bounded: of each stream `MAX_LINES` lines and `MAX_CHARACTERS` characters are kept; of what comes after, a digest and
how many lines it was. Left out: columns. Text after a carriage return replaces the whole row.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from xxhash import xxh3_128_intdigest

from reproof.credentials import MASK, mask_text
from reproof.outputs.records import Line, Stream, UnkeptLines, digest_text

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_LINES: Final = 20_000
MAX_CHARACTERS: Final = 4_000_000
MAX_LINE_CHARACTERS: Final = 2_000
"""Of a longer line its beginning is kept, with a digest of the whole."""
MAX_ROW_CHARACTERS: Final = 1 << 20
"""A row that is longer is ended: text without any newline must not fill the memory."""
MAX_OPEN_ROWS: Final = 50
"""Rows that a movement of the cursor can still reach."""
_DIGEST_RANGE: Final = 1 << 128

_CONTROL: Final = re.compile(
    r"\r?\n|\r|\x08|\x1b\[[0-9;?]{0,24}[@-~]|\x1b\][^\x07\x1b]{0,256}(?:\x07|\x1b\\)|\x1b[()*+][0-9A-Za-z]|\x1b[=>78c-~MDE]"
)
_UNFINISHED: Final = re.compile(r"(?:\r|\x1b(?:\[[0-9;?]{0,24}|\][^\x07\x1b]{0,256}|[()*+])?)\Z")
_UP: Final = re.compile(r"\x1b\[(\d{0,3})([AF])\Z")
_DOWN: Final = re.compile(r"\x1b\[(\d{0,3})([BE])\Z")
_ERASE: Final = re.compile(r"\x1b\[[02]?[KJ]\Z")


@dataclass(slots=True)
class _Row:
    text: list[str] = field(default_factory=list)
    size: int = 0
    is_at_start: bool = False  # after a carriage return: the next text replaces what is there

    def write(self, text: str) -> None:
        if self.is_at_start:
            self.clear()
        self.text.append(text)
        self.size += len(text)

    def clear(self) -> None:
        self.text, self.size, self.is_at_start = [], 0, False

    def erase_last(self) -> None:
        text = "".join(self.text)[:-1]
        self.text, self.size = [text], len(text)


class Screen:
    """The rows that one thread has written to one stream; `take` gives those that nothing reaches any more."""

    def __init__(self) -> None:
        """Begin with one empty row."""
        self._rows = [_Row()]
        self._at = 0
        self._pending = ""

    def write(self, text: str) -> None:
        """Write a piece of text, which may end anywhere, within an escape too."""
        text = self._pending + text
        unfinished = _UNFINISHED.search(text[-300:])
        self._pending = unfinished[0] if unfinished else ""
        end = len(text) - len(self._pending)
        position = 0
        for control in _CONTROL.finditer(text, 0, end):
            self._put(text[position : control.start()])
            self._obey(control[0])
            position = control.end()
        self._put(text[position:end])

    def take(self, *, is_last: bool = False) -> list[str]:
        """Return the rows that are finished, or all of them, and forget them."""
        if is_last:
            self._obey(self._pending[:1])
            self._pending = ""
        count = len(self._rows) if is_last else self._count_finished()
        taken, self._rows = self._rows[:count], self._rows[count:] or [_Row()]
        self._at = max(0, self._at - count)
        return ["".join(row.text) for row in taken]

    def _count_finished(self) -> int:
        return max(0, min(self._at, len(self._rows) - MAX_OPEN_ROWS))

    def _put(self, text: str) -> None:
        while text:
            row = self._rows[self._at]
            room = MAX_ROW_CHARACTERS - (0 if row.is_at_start else row.size)
            row.write(text[:room])
            text = text[room:]
            if text:
                self._move(1)
                self._rows[self._at].clear()

    def _obey(self, control: str) -> None:
        row = self._rows[self._at]
        if control.endswith("\n"):
            self._move(1)
            self._rows[self._at].is_at_start = True
        elif control == "\r":
            row.is_at_start = True
        elif control == "\x08":
            row.erase_last()
        elif (up := _UP.match(control)) is not None:
            self._move(-int(up[1] or 1))
            self._rows[self._at].is_at_start = True
        elif (down := _DOWN.match(control)) is not None:
            self._move(int(down[1] or 1))
            self._rows[self._at].is_at_start = True
        elif _ERASE.match(control) is not None:
            row.clear()

    def _move(self, rows: int) -> None:
        self._at = max(0, self._at + min(rows, MAX_OPEN_ROWS))
        while self._at >= len(self._rows):
            self._rows.append(_Row())


class LineCollector:
    """Takes what a run writes, piece by piece, and gives the lines. Not safe for use by several threads at once."""

    def __init__(self, max_lines: int = MAX_LINES, max_characters: int = MAX_CHARACTERS) -> None:
        """Begin with nothing; the limits are per stream."""
        self._max_lines = max_lines
        self._max_characters = max_characters
        self._screens: dict[tuple[Stream, str], Screen] = {}
        self._lines: list[Line] = []
        self._kept: dict[Stream, list[int]] = {}
        self._unkept: dict[tuple[Stream, str], list[int]] = {}

    def write(self, stream: Stream, text: str, worker: str = "") -> None:
        """Take a piece of text.

        The piece need not end with a line. The worker is the thread or process that wrote it, empty for the main
        thread.
        """
        screen = self._screens.get((stream, worker))
        if screen is None:
            screen = self._screens[stream, worker] = Screen()
        screen.write(text)
        self._add(stream, worker, screen.take())

    def finish(self) -> tuple[tuple[Line, ...], tuple[UnkeptLines, ...]]:
        """Return the lines, and what is known of those that were not kept; further text begins new lines."""
        for (stream, worker), screen in self._screens.items():
            self._add(stream, worker, screen.take(is_last=True))
        unkept = tuple(
            UnkeptLines(stream=stream, worker=worker, count=count, digest=f"{digest:032x}")
            for (stream, worker), (count, digest) in self._unkept.items()
        )
        return tuple(self._lines), unkept

    def _add(self, stream: Stream, worker: str, texts: Iterable[str]) -> None:
        for text in texts:
            if not text or text.isspace():
                continue
            stripped = text.rstrip()
            kept = self._kept.setdefault(stream, [0, 0])
            kept[0] += 1
            kept[1] += min(len(stripped), MAX_LINE_CHARACTERS)
            if kept[0] > self._max_lines or kept[1] > self._max_characters:
                self._count(stream, worker, stripped)
            else:
                self._lines.append(make_line(stripped, stream, worker))

    def _count(self, stream: Stream, worker: str, text: str) -> None:
        """Add a line to the digest of those that are not kept: chained for the main thread, summed for others."""
        state = self._unkept.setdefault((stream, worker), [0, 0])
        digest = xxh3_128_intdigest(" ".join(text.split()).encode("utf-8", "surrogatepass"))
        chained = state[1] if worker else xxh3_128_intdigest(state[1].to_bytes(16, "little"))
        state[0] += 1
        state[1] = (chained + digest) % _DIGEST_RANGE


def make_line(text: str, stream: Stream = "stdout", worker: str = "") -> Line:
    """Return the record of a line, shortened if it is long, and without credentials; its digest is of all of it."""
    shown = mask_text(text)
    if len(text) <= MAX_LINE_CHARACTERS and shown == text:
        return Line(stream=stream, text=text, worker=worker)
    return Line(stream=stream, text=shown[:MAX_LINE_CHARACTERS], worker=worker, digest=digest_text(text))


def is_whole(text: str) -> bool:
    """Whether what is shown of a text is all of it: not shortened, and no credential taken out of it."""
    return len(text) < MAX_LINE_CHARACTERS and not text.endswith("…") and MASK not in text


def split_lines(text: str) -> list[str]:
    """Return the lines of a whole text that has carriage returns and escapes in it, as they are left standing."""
    screen = Screen()
    screen.write(text)
    return [line.rstrip() for line in screen.take(is_last=True) if line and not line.isspace()]

"""What a run has put out, as records: lines printed, files with their parts, tensors saved."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from xxhash import xxh3_128_hexdigest

if TYPE_CHECKING:
    from reproof.outputs.surroundings import Surroundings

Stream = Literal["stdout", "stderr"]
COLUMNS: Final = "columns"
"""Name of the part of a table that holds its first row, which mostly names the columns."""
BYTES: Final = "bytes"
LINES: Final = "lines"
"""Formats of files that are compared in ways of their own."""
UNTOUCHED: Final = "untouched"
"""Format of a file that was there before the run, and that the run has looked for or read, and left as it was.

So are folders told that it has looked for (``runs/``) or listed (``runs/*``).
"""
MISSED: Final = "missed"
"""Format of a file or folder that is there after the run, and that the run has looked for and not found."""
UNFINISHED: Final = "it is compressed, and was still open when the run ended"
LATE: Final = "it was written after the run had ended"
"""Why the end of a file is not known: two runs that leave one of them are not known to be the same."""
RUNS_ON: Final = "does after the run has ended"
"""How the notes end that tell of programs whose results are not known: the run has not waited for them."""
FILLED: Final = "files in folders that hold too many files to look through"
"""How the note begins that tells of folders which the run itself has filled."""
FOLDER: Final = "folder"
"""Format of a folder with nothing in it."""
ELSEWHERE: Final = "another process, or compiled code"
"""Who has printed a line that the main process has not printed through Python."""
MAX_SHOWN_CHARACTERS: Final = 400
"""Of a part of a file, so much is kept for showing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line that a run has printed.

    Attributes:
        stream: Where it was printed.
        worker: Which thread or process printed it; empty for the main thread of the main process.
        text: The line, without escapes; of a long one its beginning.
        digest: Hexadecimal digest of the whole line if the text is its beginning only or has a credential masked, else
            empty.
    """

    stream: Stream
    text: str
    worker: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnkeptLines:
    """Lines beyond what is kept of a stream, by one thread or process.

    Attributes:
        stream: Where they were printed.
        worker: As `Line.worker`.
        digest: Hexadecimal digest over them: in order for the main thread, without order for others.
    """

    stream: Stream
    worker: str
    count: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a file: a line, a value, a member of an archive, a tensor.

    Attributes:
        name: How it is called within the file, e.g. ``['model']['fc.weight']`` or ``line 12``.
        digest: Hexadecimal digest of exactly what is there.
        masked: The same after known noise was masked; equal to `digest` where there was none.
        text: What is shown of it: a number, the beginning of a line, else dtype and shape or size.
    """

    name: str
    digest: str
    masked: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOutput:
    """A file that a run has created or changed.

    Attributes:
        name: Its path, relative to the working folder where it is below that.
        format: How it was read, e.g. ``lines`` or ``zip``; ``bytes`` if there is no reader or it is damaged.
        parts: What is in it, in the file's order.
        was_there: Whether it was there before the run.
        not_compared: Why it is not compared; None if it is.
        note: What was remarkable in reading it; None if nothing was.
        saved_as: Name by which its content was given to a function that saves; None if it was not.
    """

    name: str
    format: str
    parts: tuple[Part, ...] = ()
    was_there: bool = False
    not_compared: str | None = None
    note: str | None = None
    saved_as: str | None = None

    @property
    def is_written(self) -> bool:
        """Whether the run has written it; others are told because the run has looked for them."""
        return self.format not in {UNTOUCHED, MISSED}


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedTensor:
    """A tensor, array or value that was given to a function that saves.

    Attributes:
        step: 0-based index of the optimizer step within which it was saved.
        file: Name of the file, or how the function was called.
        path: Where it is in the saved object, e.g. ``['model']['fc.weight']``.
        digest: Hexadecimal digest; of a plain value too.
        masked: The same after known noise was masked, for plain values; else equal to `digest`.
        text: What is shown of it.
        was_there: Whether there was such a file before the run saved to it for the first time.
    """

    step: int
    file: str
    path: str
    digest: str
    masked: str
    text: str
    was_there: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutput:
    """What one process of a run has put out.

    Attributes:
        surroundings: What is known of the run; None if it was killed before that was written.
        saved: Tensors that were saved, in the order of saving.
        lines: Lines printed, in the order of printing.
        unkept: Lines that were not kept.
        late: Lines that were printed as the interpreter ended, unless whoever started the run keeps them.
        files: Files created or changed.
        printed: Characters that were written to each stream through Python.
        notes: What was not looked at, and why: lines turned off, objects beyond a limit.
        is_complete: Whether the run has written all of this.
    """

    surroundings: Surroundings | None
    saved: tuple[SavedTensor, ...] = ()
    lines: tuple[Line, ...] = ()
    unkept: tuple[UnkeptLines, ...] = ()
    late: tuple[UnkeptLines, ...] = ()
    files: tuple[FileOutput, ...] = ()
    printed: tuple[tuple[Stream, int], ...] = ()
    notes: tuple[str, ...] = field(default=())
    is_complete: bool = True


def digest_bytes(data: bytes | bytearray | memoryview) -> str:
    """Return the hexadecimal digest of bytes."""
    return xxh3_128_hexdigest(data)


def digest_text(text: str) -> str:
    """Return the hexadecimal digest of a text; lone surrogates count too."""
    return digest_bytes(text.encode("utf-8", "surrogatepass"))


def shorten(text: str, limit: int = MAX_SHOWN_CHARACTERS) -> str:
    """Return the beginning of a text, with dots if it goes on."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"

"""The file beside a trace that holds what a process has put out: ``rankR.output``, JSON lines.

What was saved is appended while the run is under way, so that a run that is killed keeps it; lines, files and what is
known of the run follow at its end. `docs/trace-format.md` is the normative description. Left out: events, which are in
the trace itself.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import xxhash

from reproof.credentials import mask_text
from reproof.outputs.records import MISSED, FileOutput, Line, Part, RunOutput, SavedTensor, Stream, UnkeptLines
from reproof.outputs.surroundings import Surroundings
from reproof.trace import format as fmt
from reproof.trace.fields import Fields
from reproof.trace.files import check_regular, damaged, unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

OUTPUT: Final = "output"
MAX_SAVED: Final = 200_000
MAX_FILES: Final = 20_000
MAX_TOTAL_PARTS: Final = 500_000
MAX_LINE_BYTES: Final = 1 << 20
STREAMS: Final[tuple[Stream, ...]] = ("stdout", "stderr")
_DIGEST: Final = re.compile(r"[0-9a-f]{32}")
_BUFFER_BYTES: Final = 1 << 16
_DAY: Final = 86_399
_LAST_SECOND: Final = 4e9
"""In the year 2096."""


class OutputWriter:
    """Appends what a process puts out. Not safe for use by several threads at once.

    Attributes:
        path: The file.
    """

    def __init__(self, folder: Path, rank: int) -> None:
        """Create the file.

        Raises:
            OSError: If the file system refuses, or the file exists.
        """
        self.path = folder / fmt.file_name(rank, OUTPUT)
        self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        self._written = xxhash.xxh3_128()
        self._num_saved = 0
        self._num_not_kept = 0

    def add_saved(self, tensors: Iterable[SavedTensor]) -> None:
        """Append what one call has saved; beyond `MAX_SAVED` in all it is counted and not kept.

        Raises:
            OSError: If the file system refuses.
        """
        kept: list[bytes] = []
        for tensor in tensors:
            self._num_saved += 1
            if self._num_saved > MAX_SAVED:
                self._num_not_kept += 1
            else:
                kept.append(_encode(_saved_to_json(tensor)))
        self._append(kept)

    def finish(
        self,
        surroundings: Surroundings | None,
        *,
        lines: Iterable[Line] = (),
        unkept: Iterable[UnkeptLines] = (),
        files: Iterable[FileOutput] = (),
        notes: Iterable[str] = (),
        printed: Mapping[Stream, int] | None = None,
    ) -> None:
        """Append all the rest and close the file; does nothing if it is closed.

        A run that is meant to be stopped has no rest: its surroundings are None.

        Raises:
            OSError: If the file system refuses.
        """
        if self._descriptor < 0:
            return
        told = list(notes)
        if self._num_not_kept:
            told.append(f"{self._num_not_kept} saved values beyond the first {MAX_SAVED} are not compared")
        entries: list[dict[str, Any]] = []
        if surroundings is not None:
            entries.append({"surroundings": _surroundings_to_json(surroundings)})
        entries += [_line_to_json(line) for line in lines]
        entries += [
            {"unkept": lines.count, "stream": lines.stream, "worker": lines.worker, "digest": lines.digest}
            for lines in unkept
        ]
        entries += _files_to_json(files, told)
        if printed:
            entries.append({"printed": dict(printed)})
        entries += [{"note": note} for note in told]
        self._append(map(_encode, entries))
        self._append([_encode({"end": len(entries), "digest": self._written.hexdigest()})])
        self.close()

    def close(self) -> None:
        """Close the file as it is."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _append(self, lines: Iterable[bytes]) -> None:
        """Write lines in blocks: a block that is cut off by a kill ends within a line, which readers leave out."""
        block = b""
        for line in lines:
            block += line
            if len(block) >= _BUFFER_BYTES:
                self._write(block)
                block = b""
        self._write(block)

    def _write(self, block: bytes) -> None:
        self._written.update(block)
        while block and self._descriptor >= 0:
            block = block[os.write(self._descriptor, block) :]


def append_files(folder: Path, rank: int, files: Iterable[FileOutput]) -> None:
    """Append files as they are now that the process has ended; each takes the place of the one of its name.

    Raises:
        OSError: If the file system refuses.
    """
    with (folder / fmt.file_name(rank, OUTPUT)).open("ab") as file:
        file.write(b"".join(map(_encode, _files_to_json(files, []))))


def read_output(folder: Path, rank: int) -> RunOutput | None:
    """Read what a process has put out; None if it was not recorded.

    Raises:
        TraceError: If the file is damaged or cannot be read. An unfinished last line is what a killed process leaves,
            and is left out.
    """
    path = folder / fmt.file_name(rank, OUTPUT)
    reader = _Reader()
    try:
        check_regular(path)
        with path.open("rb") as file:
            number = 0
            while (line := file.readline(MAX_LINE_BYTES + 1)).endswith(b"\n"):
                number += 1
                try:
                    reader.take(line)
                except (ValueError, RecursionError):
                    raise damaged(path, f"line {number} is not what a run puts out") from None
            if len(line) > MAX_LINE_BYTES:
                raise damaged(path, f"line {number + 1} is longer than {MAX_LINE_BYTES} bytes")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unreadable(path, error) from None
    return reader.finish()


class _Reader:
    """Makes a record of the lines of the file."""

    def __init__(self) -> None:
        self._surroundings: Surroundings | None = None
        self._saved: list[SavedTensor] = []
        self._lines: list[Line] = []
        self._unkept: list[UnkeptLines] = []
        self._late: list[UnkeptLines] = []
        self._files: list[tuple[Fields, list[Part]]] = []
        self._notes: list[str] = []
        self._printed: tuple[tuple[Stream, int], ...] = ()
        self._num_entries = 0
        self._num_files = 0
        self._is_complete = False
        self._read = xxhash.xxh3_128()

    def take(self, line: bytes) -> None:
        """Take a line; raises ValueError if it is none of this file's."""
        data = json.loads(line.decode("utf-8"))
        fields = Fields(data)
        if self._is_complete and not any(key in fields for key in ("file", "part", "note", "unkept")):
            raise ValueError("a line after the end")
        if "end" in fields:
            if fields.number("end") != self._num_entries:
                raise fields.wrong("end")
            if len(data) > 1 and fields.text("digest") != self._read.hexdigest():  # older ones have nothing more
                raise fields.wrong("digest")
            self._is_complete = True
            self._num_files = len(self._files)
            return
        self._read.update(line)
        if "saved" in fields:
            self._saved.append(_parse_saved(fields))
            return
        self._num_entries += 1
        if "file" in fields:
            _parse_file(fields, [])  # at once, so that the line that is damaged is named
            self._files.append((fields, []))
        elif "part" in fields and self._files:
            self._files[-1][1].append(_parse_part(fields))
        else:
            self._take_rest(fields)

    def _take_rest(self, fields: Fields) -> None:
        if "surroundings" in fields:
            self._surroundings = _parse_surroundings(Fields(fields.take("surroundings", dict)))
        elif "line" in fields:
            self._lines.append(_parse_line(fields))
        elif "unkept" in fields:
            (self._late if self._is_complete else self._unkept).append(_parse_unkept(fields))
        elif "printed" in fields:
            counts = Fields(fields.take("printed", dict))
            self._printed = tuple((stream, counts.number(stream)) for stream in STREAMS)
        else:
            self._notes.append(fields.text("note"))

    def finish(self) -> RunOutput:
        """Return the record."""
        files = [_parse_file(fields, parts) for fields, parts in self._files]
        return RunOutput(
            surroundings=self._surroundings,
            saved=tuple(self._saved),
            lines=tuple(self._lines),
            unkept=tuple(self._unkept),
            late=tuple(self._late),
            files=_replace(files[: self._num_files], files[self._num_files :]) if self._is_complete else tuple(files),
            printed=self._printed,
            notes=tuple(self._notes),
            is_complete=self._is_complete,
        )


def _replace(files: Iterable[FileOutput], later: Iterable[FileOutput]) -> tuple[FileOutput, ...]:
    """Return the files, those that were read once more as they were last; how one came to be is known from before."""
    last = {file.name: file for file in later}
    kept = []
    for file in files:
        if file.name not in last or file.format == MISSED:
            kept.append(file)
        elif file.is_written:
            was_there = file.was_there or last[file.name].was_there
            last[file.name] = replace(last[file.name], was_there=was_there, saved_as=file.saved_as)
    return (*kept, *last.values())


def _encode(entry: dict[str, Any]) -> bytes:
    return f"{json.dumps(entry, separators=(',', ':'))}\n".encode()


def _saved_to_json(tensor: SavedTensor) -> dict[str, Any]:
    entry = {
        "saved": tensor.path,
        "step": tensor.step,
        "file": tensor.file,
        "digest": tensor.digest,
        "text": mask_text(tensor.text),
    }
    entry |= {"was_there": True} if tensor.was_there else {}
    return entry if tensor.masked == tensor.digest else {**entry, "masked": tensor.masked}


def _line_to_json(line: Line) -> dict[str, Any]:
    entry = {"line": line.text, "stream": line.stream}
    return entry | {key: value for key, value in (("worker", line.worker), ("digest", line.digest)) if value}


def _files_to_json(files: Iterable[FileOutput], told: list[str]) -> list[dict[str, Any]]:
    """Return the entries of files and their parts; those beyond the limits are told and left out."""
    entries: list[dict[str, Any]] = []
    num_parts = num_left_out = 0
    for number, file in enumerate(files):
        if number >= MAX_FILES or num_parts + len(file.parts) > MAX_TOTAL_PARTS:
            num_left_out += 1
            continue
        num_parts += len(file.parts)
        entry: dict[str, Any] = {"file": file.name, "format": file.format}
        if file.was_there:
            entry["was_there"] = True
        texts = {name: getattr(file, name) for name in ("not_compared", "note", "saved_as")}
        entries.append(entry | {key: value for key, value in texts.items() if value is not None})
        entries += map(_part_to_json, file.parts)
    if num_left_out:
        told.append(f"{num_left_out} files beyond {MAX_FILES} files or {MAX_TOTAL_PARTS} parts are not compared")
    return entries


def _part_to_json(part: Part) -> dict[str, Any]:
    entry = {"part": part.name, "digest": part.digest, "text": mask_text(part.text)}
    return entry if part.masked == part.digest else {**entry, "masked": part.masked}


def _surroundings_to_json(known: Surroundings) -> dict[str, Any]:
    return {
        "began_at": float(known.began_at),
        "ended_at": float(known.ended_at),
        "utc_offset_seconds": known.utc_offset_seconds,
        "process_ids": list(known.process_ids),
        "nearby_ids": None if known.nearby_ids is None else list(known.nearby_ids),
        "host": known.host,
        "user": known.user,
        "temporary": list(known.temporary),
        "folder": known.folder,
        "identifiers": list(known.identifiers),
    }


def _parse_surroundings(fields: Fields) -> Surroundings:
    numbers = fields.take("process_ids", list)
    if not all(type(number) is int for number in numbers):
        raise fields.wrong("process_ids")
    nearby = None if "nearby_ids" not in fields or fields.is_null("nearby_ids") else fields.take("nearby_ids", list)
    if nearby is not None and not (len(nearby) == 2 and all(type(number) is int for number in nearby)):  # noqa: PLR2004  # first and last
        raise fields.wrong("nearby_ids")
    began_at, ended_at = (fields.take(name, float) for name in ("began_at", "ended_at"))
    if not 0 <= began_at <= ended_at <= _LAST_SECOND:
        raise fields.wrong("ended_at")
    return Surroundings(
        began_at=began_at,
        ended_at=ended_at,
        utc_offset_seconds=fields.number("utc_offset_seconds", -_DAY, _DAY),
        process_ids=tuple(numbers),
        nearby_ids=None if nearby is None else (nearby[0], nearby[1]),
        host=_optional(fields, "host"),
        user=_optional(fields, "user"),
        temporary=fields.texts("temporary"),
        folder=_optional(fields, "folder"),
        identifiers=fields.texts("identifiers") if "identifiers" in fields else (),
    )


def _optional(fields: Fields, name: str) -> str | None:
    return None if name not in fields or fields.is_null(name) else fields.text(name)


def _digest(fields: Fields, name: str = "digest") -> str:
    digest = fields.text(name)
    if _DIGEST.fullmatch(digest) is None:
        raise fields.wrong(name)
    return digest


def _masked(fields: Fields) -> str:
    return _digest(fields, "masked") if "masked" in fields else _digest(fields)


def _parse_saved(fields: Fields) -> SavedTensor:
    return SavedTensor(
        step=fields.number("step"),
        file=fields.text("file"),
        path=fields.text("saved"),
        digest=_digest(fields),
        masked=_masked(fields),
        text=fields.text("text"),
        was_there="was_there" in fields and fields.flag("was_there"),
    )


def _parse_line(fields: Fields) -> Line:
    return Line(
        stream=fields.choice("stream", STREAMS),
        text=fields.text("line"),
        worker=_optional(fields, "worker") or "",
        digest=_digest(fields) if "digest" in fields else "",
    )


def _parse_unkept(fields: Fields) -> UnkeptLines:
    return UnkeptLines(
        stream=fields.choice("stream", STREAMS),
        worker=fields.text("worker"),
        count=fields.number("unkept"),
        digest=_digest(fields),
    )


def _parse_part(fields: Fields) -> Part:
    return Part(name=fields.text("part"), digest=_digest(fields), masked=_masked(fields), text=fields.text("text"))


def _parse_file(fields: Fields, parts: list[Part]) -> FileOutput:
    return FileOutput(
        name=fields.text("file"),
        format=fields.text("format"),
        parts=tuple(parts),
        was_there="was_there" in fields and fields.flag("was_there"),
        not_compared=_optional(fields, "not_compared"),
        note=_optional(fields, "note"),
        saved_as=_optional(fields, "saved_as"),
    )

"""The files in which the calls of a run are noted, and what another run has found by them.

In the folder `calls` of a trace, for each process: `NAME.jsonl`, `NAME.values` (results, one after the other) and, in a
run that is compared, `NAME.found.jsonl`. They serve the experiments of one search and are no part of a trace.

    {"place": 3, "name": "..."}    a spot (`Spot.name`), before its first event
    {"stream": "0|main", "start": 64, "events": [[3, 12.., 97..], ...], "values": {"65": [1024, 310]}}
"""

from __future__ import annotations

import json
import os
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOLDER: Final = "calls"
EVENTS: Final = ".jsonl"
VALUES: Final = ".values"
FOUND: Final = ".found.jsonl"

MAX_PENDING: Final = 64
"""Events of a stream that are kept before they are written; none in a child, which may be ended without a word."""

SEPARATOR: Final = "\t"


class Spot(NamedTuple):
    """An expression of the user's code.

    Attributes:
        file: As in `entropy.sites.Site`.
        line: 1-based.
        column: 0-based, in bytes.
        what: *call*, *value* or *item*.
        text: The expression, or its beginning.
    """

    file: str
    line: int
    column: int
    what: str
    text: str

    @property
    def name(self) -> str:
        """The spot as one text, which stands in the code that is compiled anew."""
        return SEPARATOR.join(map(str, self))

    @classmethod
    def read(cls, name: str) -> Spot:
        """Return the spot with this name."""
        file, line, column, what, text = name.split(SEPARATOR, 4)
        return cls(file, int(line), int(column), what, text)


class Event(NamedTuple):
    """What happened at a spot: digests of what went in and of what came out."""

    spot: str
    inputs: int
    result: int


@dataclass(slots=True)
class EarlierStream:
    """The events of one thread or task in an earlier run.

    Attributes:
        events: In their order.
        values: File, start and length of the results that were kept, by the number of their event.
    """

    events: list[Event] = field(default_factory=list)
    values: dict[int, tuple[Path, int, int]] = field(default_factory=dict)

    def load(self, number: int) -> bytes | None:
        """Return the result of an event, as it was saved; None if it was not kept."""
        if (known := self.values.get(number)) is None:
            return None
        path, start, length = known
        try:
            with path.open("rb") as file:
                file.seek(start)
                data = file.read(length)
        except OSError:
            return None
        return data if len(data) == length else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """An event whose result differs from that of the earlier run.

    Attributes:
        spot: Name of its spot.
        stream: The thread or task.
        number: Number of the event within the stream, from 0.
        source: What was called.
        is_origin: Whether its inputs agree: the difference comes in here.
        is_whole: Whether all of its inputs could be looked into.
        is_healed: Whether the earlier result was put in place.
        problem: Why it was not, or empty.
    """

    spot: str
    stream: str
    number: int
    source: str
    is_origin: bool
    is_whole: bool
    is_healed: bool
    problem: str = ""


class CallLog:
    """Writes the events of this process."""

    def __init__(self, folder: Path, process: str) -> None:
        """Write below the folder of a trace, under the label of the process; nothing is created before the first."""
        self._stem = folder / FOLDER / f"{process}.{os.getpid()}"
        self._lock = threading.RLock()
        self._spots: dict[str, int] = {}
        self._pending: dict[str, tuple[int, list[tuple[int, int, int]], dict[int, tuple[int, int]]]] = {}
        self._num_bytes = 0
        self._max_pending = MAX_PENDING if process.isdecimal() else 1
        self._files: dict[str, Any] = {}

    def add(self, stream: str, number: int, event: Event, value: bytes | None) -> None:
        """Note an event, and its result if it is kept."""
        with self._lock:
            spot = self._spots.get(event.spot)
            if spot is None:
                spot = self._spots[event.spot] = len(self._spots)
                self._write(EVENTS, {"place": spot, "name": event.spot})
            _, events, values = self._pending.setdefault(stream, (number, [], {}))
            events.append((spot, event.inputs, event.result))
            if value is not None:
                values[number] = (self._num_bytes, len(value))
                self._num_bytes += len(value)
                self._open(VALUES).write(value)
            if len(events) >= self._max_pending:
                self.flush(stream)

    def flush(self, only: str | None = None) -> None:
        """Write what is left, of one stream or of all."""
        with self._lock:
            for stream in [only] if only is not None else list(self._pending):
                if stream in self._pending:
                    start, events, values = self._pending.pop(stream)
                    self._write(EVENTS, {"stream": stream, "start": start, "events": events, "values": values})

    def find(self, finding: Finding) -> None:
        """Write a finding down, at once."""
        with self._lock:
            self._write(FOUND, asdict(finding))

    def _write(self, ending: str, line: dict[str, Any]) -> None:
        self._open(ending).write(json.dumps(line).encode() + b"\n")

    def _open(self, ending: str) -> Any:
        """Return a file that is written at once."""
        file = self._files.get(ending)
        if file is None:
            self._stem.parent.mkdir(exist_ok=True)
            file = self._files[ending] = self._stem.with_name(self._stem.name + ending).open("ab", buffering=0)
        return file

    def close(self) -> None:
        """Write what is left, and close the files."""
        self.flush()
        for file in self._files.values():
            file.close()
        self._files.clear()


def read_streams(trace: Path) -> dict[str, EarlierStream]:
    """Return what the calls of a run were given and returned, by thread or task."""
    streams: dict[str, EarlierStream] = {}
    for path in list_files(trace, EVENTS):
        values = path.with_name(path.name.removesuffix(EVENTS) + VALUES)
        spots: dict[int, str] = {}
        for line in read_lines(path):
            if "place" in line:
                spots[line["place"]] = line["name"]
                continue
            stream = streams.setdefault(line["stream"], EarlierStream())
            if line["start"] != len(stream.events):
                continue  # a second worker that was given the same task
            stream.events += [Event(spots[spot], inputs, result) for spot, inputs, result in line["events"]]
            stream.values.update({int(n): (values, *known) for n, known in line["values"].items()})
    return streams


def read_findings(trace: Path) -> list[Finding]:
    """Return what a run has found by comparing its calls: process by process, each in its order."""
    known = {one.name for one in fields(Finding)}
    return [
        Finding(**{name: value for name, value in line.items() if name in known})
        for path in list_files(trace, FOUND)
        for line in read_lines(path)
    ]


def list_files(trace: Path, ending: str) -> list[Path]:
    """Return the files of this ending, in a fixed order."""
    paths = sorted((trace / FOLDER).glob(f"*{ending}"))
    return [path for path in paths if ending == FOUND or not path.name.endswith(FOUND)]


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines of a file; the last one of a process that was killed may be cut."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            with suppress(ValueError):
                yield json.loads(line)

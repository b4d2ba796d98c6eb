"""The ledger: every read of an entropy source, in order, with the user's line and the value.

One file per process, of JSON lines, written in pieces: what a killed process loses is its last second. Lines:

    {"process": 4242}                                                    first: the number that the system gave it
    {"place": 3, "key": "os.urandom@train.py:12", "kind": "os-entropy", "source": "os.urandom", "file": "train.py",
     "line": 12, "function": "main", "through": null}                    once per place, before its first read
    [[3, "a1b2"], [3, "c3d4"], [-1, 7]]                                  reads; -1 tells that step 7 begins
    [[4, {"printed_sha256": "9f86d0818..."}]]                            a value of which the digest alone is kept
    {"note": "unused", "key": "random@start"}                            what else is known of a source
    {"note": "first draw", "key": "random@train.py:9", "num_events": 4}  as `draws.py` tells
    {"note": "seed", "value": "torch.manual_seed@train.py:9=17"}         a seed that a generator was given, once
    {"note": "given up", "key": "queue.Queue.get@train.py:40"}           what is replayed did not come
    {"note": "written", "path": "/out/log.txt", "name": "../out/log.txt", "was_there": false}  as `written.py` tells
    {"note": "found", "path": "/out/cache.npy"}                          as `found.py` tells
    {"note": "problem", "key": "os.urandom@train.py:12", "reason": "..."}  a read whose value is not known
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from reproof.entropy.handled import let_through
from reproof.entropy.untapped import read_clock, read_process_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

MAX_BUFFERED: Final = 256
"""Reads that are kept before they are written."""

MAX_VALUES: Final = 100_000
"""Reads of one place whose values are kept; of later ones only the number is known."""

FLUSH_SECONDS: Final = 1.0
MAX_PROBLEMS: Final = 20
MAX_AHEAD: Final = 10_000
"""Values to come among which one is looked for."""

MAX_FIRST_BYTES: Final = 100
"""The first line of a ledger, which tells the number of its process, is shorter."""

MAX_LEDGER_BYTES: Final = 1 << 30
"""A larger one is left out: it is none of ours."""

WRITTEN: Final = b'"note":"written"'
ALL: Final = "*"
"""Stands for all files of a folder."""
SEED: Final = b'"note":"seed"'
PRINTED: Final = b'"note":"printed"'
PROGRAM: Final = b'"note":"program"'
STEP_MARK: Final = -1

POOL: Final = "pool"
"""How the part of a process's label begins that stands for a pool, before the number of a worker or the name of a task.
"""

OF_TASK: Final = "#"
"""What stands in keys before the name of a task, where a thread reads without a line of the user's on its stack."""


class Place:
    """A source at one line of the user's code.

    Attributes:
        key: What it is called in every run: the source, the file relative to the working folder and the line.
        values: Values to be replayed, or None to read the source itself.
        num_reads: Reads so far.
        offset: What is added to a clock that goes on from the last value replayed, or None.
    """

    __slots__ = ("_buffer", "_entry", "_ledger", "_number", "_position", "key", "num_reads", "offset", "values")

    _ledger: Ledger
    _buffer: list[tuple[int, Any]]
    _number: int
    values: list[Any] | None

    def __init__(self, ledger: Ledger, entry: dict[str, Any], values: list[Any] | None) -> None:
        """Write the place down; `values` are those to be replayed."""
        self._entry = entry
        self.key: str = entry["key"]
        self.move(ledger, values)

    def move(self, ledger: Ledger, values: list[Any] | None) -> None:
        """Continue in the ledger of a forked child, which has values of its own to replay."""
        self._ledger = ledger
        self._buffer = ledger.buffer
        self._number = ledger.add_place(self._entry)
        self._position = 0
        self.values = values
        self.num_reads = 0
        self.offset: Any = None

    def note(self, value: Any) -> None:
        """Write a value that was read, as JSON has it."""
        count = self.num_reads = self.num_reads + 1
        if count <= MAX_VALUES:
            buffer, ledger = self._buffer, self._ledger
            buffer.append((self._number, value))
            if count == 1 or len(buffer) >= MAX_BUFFERED or read_clock() > ledger.due:
                ledger.flush()

    def note_problem(self, error: Exception) -> None:
        """Write that a value was read, or was to be replayed, and could not be.

        Raises that error, if a signal handler of the program's has raised it.
        """
        self._ledger.note_problem(self.key, error)
        let_through(error)

    def take(self) -> tuple[bool, Any]:
        """Return whether there is a value to replay, and the value."""
        values = self.values
        if values is None or self._position >= len(values):
            return False, None
        self._position += 1
        return True, values[self._position - 1]

    def peek(self) -> Any:
        """Return the next value to be replayed, or None."""
        values = self.values
        return None if values is None or self._position >= len(values) else values[self._position]

    def expects(self, value: Any) -> bool:
        """Whether a value is among the next that are to be replayed."""
        values = self.values
        return values is not None and value in itertools.islice(values, self._position, self._position + MAX_AHEAD)

    def give_up(self) -> None:
        """Replay nothing more: what the earlier run had does not come."""
        if self.values is not None:
            self.values = None
            self._ledger.note("given up", key=self.key)


class Ledger:
    """Writes the ledger of one process.

    Attributes:
        buffer: Reads that are not written yet.
        due: Time from which on they are to be written.
        problems: What is not recorded, and why.
    """

    def __init__(self, folder: Path, process: str) -> None:
        """Create the file; without one (the folder is gone, the disk is full) nothing is written.

        `process` is the rank, with the number of each child on the way to this process, such as ``0.2``.
        """
        self.buffer: list[tuple[int, Any]] = []
        self.problems: list[str] = []
        self.due = read_clock() + FLUSH_SECONDS
        self._lock = threading.RLock()
        self._num_places = 0
        self._keys: list[str] = []
        try:
            self._descriptor: int | None = os.open(
                folder / ledger_name(process), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600
            )
            self._identity = identify(self._descriptor)
        except OSError as error:
            self._descriptor = None
            self.add_problem(f"the entropy of process {process} is not recorded: {error.strerror}")
        self._write({"process": read_process_number()})

    def add_place(self, entry: dict[str, Any]) -> int:
        """Write down a place and return its number."""
        with self._lock:
            number = self._num_places
            self._num_places += 1
            self._keys.append(str(entry["key"]))
            self.flush()
            self._write({"place": number, **entry})
        return number

    def note(self, what: str, **entries: Any) -> None:
        """Write down what is known of a source besides its values."""
        with self._lock:
            self.flush()
            self._write({"note": what, **entries})

    def note_problem(self, key: str, error: Exception) -> None:
        """Write down that a value of a source is not known."""
        what = f"{type(error).__name__}: {error}"
        self.add_problem(f"a value of {key} is not recorded or replayed: {what}")
        self.note("problem", key=key, reason=what)

    def add_problem(self, problem: str) -> None:
        """Keep a problem for the end of the run, each once."""
        if problem not in self.problems and len(self.problems) < MAX_PROBLEMS:
            self.problems.append(problem)

    def begin_step(self, step: int) -> None:
        """Note that a step begins."""
        with self._lock:  # without it another thread's flush could come in between
            last = len(self.buffer) - 1
            if last >= 0 and self.buffer[last][0] == STEP_MARK:
                self.buffer[last] = (STEP_MARK, step)
            else:
                self.buffer.append((STEP_MARK, step))
            if read_clock() > self.due:
                self.flush()

    def flush(self) -> None:
        """Write what was read."""
        with self._lock:
            count = len(self.buffer)
            if count:
                items = self.buffer[:count]
                del self.buffer[:count]  # first, so that nothing is written twice if this is interrupted
                self._write(items)
            self.due = read_clock() + FLUSH_SECONDS

    def _write(self, entry: Any) -> None:
        if self._descriptor is None or not self._is_ours(self._descriptor):
            return
        try:
            text = json.dumps(entry, separators=(",", ":"))
        except (TypeError, ValueError, RecursionError):
            self._write_singly(entry)
            return
        data = f"{text}\n".encode()
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
        except OSError as error:
            self.add_problem(f"the entropy of this run is not recorded whole: {error.strerror or error}")
            self.close()
            let_through(error)

    def _is_ours(self, descriptor: int) -> bool:
        """Whether the file is still ours: daemons close all files, and the next one opened gets our number."""
        try:
            if identify(descriptor) == self._identity:
                return True
        except OSError as error:
            let_through(error)
        self._descriptor = None
        self.add_problem("the entropy of this run is not recorded whole: the program closed the file")
        return False

    def _write_singly(self, entry: Any) -> None:
        """Write reads one by one: one of them holds what JSON does not have."""
        for number, value in entry if isinstance(entry, list) else ():
            try:
                json.dumps(value)
            except (TypeError, ValueError, RecursionError) as error:
                self.note_problem(self._keys[number], error)
                self._write([[number, None]])
            else:
                self._write([[number, value]])

    def close(self) -> None:
        """Close the file; what is read afterwards is not written."""
        with self._lock:
            descriptor, self._descriptor = self._descriptor, None
            if descriptor is not None:
                with contextlib.suppress(OSError):  # a program that closes what it does not know
                    os.close(descriptor)


def identify(descriptor: int) -> tuple[int, int]:
    """Return what tells an open file from all others."""
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino


@dataclass(slots=True, kw_only=True)
class Source:
    """What one process read from one place.

    Attributes:
        key: Name of the place, the same in every run.
        kind: Kind of cause that it would be.
        source: Name of the function that was called.
        file: Relative to the working folder if it is below, else absolute; None if no line of the user's is known.
        line: 1-based, or None.
        through: Package through which the user's line reads it, or None.
        values: What was read.
        steps: Step of each value.
        notes: What else is known, such as ``unused``.
    """

    key: str
    kind: str
    source: str
    file: str | None = None
    line: int | None = None
    function: str | None = None
    through: str | None = None
    values: list[Any] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    notes: list[dict[str, Any]] = field(default_factory=list)


Ledgers = dict[str, dict[str, Source]]
"""Of each process, the sources by their keys in the order of their first reads."""


def ledger_name(process: str) -> str:
    """Return the name of a process's ledger within the trace."""
    return f"rank{process}.entropy"


def read_ledgers(folder: Path) -> Ledgers:
    """Read the ledgers of all processes of a run; a line that a killed process left unfinished is left out."""
    ledgers: Ledgers = {}
    for path in _list_ledgers(folder):
        process = path.name.removeprefix("rank").removesuffix(".entropy")
        ledgers[process] = read_ledger(path)
    return ledgers


def read_ledger(path: Path) -> dict[str, Source]:
    """Read the ledger of one process; what is damaged is left out."""
    reader = LedgerReader()
    for line in path.read_bytes().splitlines():
        try:
            reader.read(json.loads(line))
        except (ValueError, TypeError, KeyError, RecursionError):
            continue  # torn by a kill, or not ours
    return reader.sources


def read_process_numbers(folder: Path) -> set[int]:
    """Return the numbers of the processes of a run that have a ledger."""
    numbers: set[Any] = set()
    for path in _list_ledgers(folder):
        with path.open("rb") as file, contextlib.suppress(ValueError, RecursionError, AttributeError):  # as above
            numbers.add(json.loads(file.readline(MAX_FIRST_BYTES)).get("process"))
    return {number for number in numbers if type(number) is int}


@dataclass(frozen=True, slots=True)
class Written:
    """A file outside of the working folder that a process has opened to write.

    Attributes:
        path: Where it is, as an absolute path.
        name: As the program has it.
        was_there: Whether there was such a file before.
        num_earlier: Bytes that it had when it was opened to append to it, else 0.
    """

    path: str
    name: str
    was_there: bool
    num_earlier: int = 0


def read_written(folder: Path) -> list[Written]:
    """Return the files outside of the working folder that the processes of a run have written, each once."""
    found: dict[str, Written] = {}
    for entry in read_notes(folder, WRITTEN):
        with contextlib.suppress(KeyError):
            size = entry.get("num_earlier")
            num_earlier = size if type(size) is int and size > 0 else 0
            file = Written(str(entry["path"]), str(entry["name"]), entry["was_there"] is True, num_earlier)
            known = found.setdefault(file.path, file)
            if known.was_there and not file.was_there:  # another process has made it before
                found[file.path] = file
    return list(found.values())


@dataclass(frozen=True, slots=True)
class Printed:
    """Text that a process has printed which the recorded one has started.

    Attributes:
        stream: Where it was printed.
        writer: Process and thread.
        text: The text; it need not end with a line.
        total: Characters that the process has written to the stream by then; those of what it has drawn over too.
        is_last: Whether what comes after it was not noted.
    """

    stream: str
    writer: str
    text: str
    total: int
    is_last: bool


def read_printed(folder: Path) -> list[Printed]:
    """Return what processes have printed that the recorded one has started, of each in its order."""
    found = []
    for entry in read_notes(folder, PRINTED):
        stream, writer, text = (str(entry.get(name)) for name in ("stream", "writer", "text"))
        total = entry.get("total")
        found.append(
            Printed(stream, writer, text, total if type(total) is int else 0, is_last=entry.get("is_last") is True)
        )
    return found


def count_printed(printed: Iterable[Printed], stream: str) -> int:
    """Return how many characters these processes have written to a stream."""
    totals: dict[str, int] = {}
    for piece in printed:
        if piece.stream == stream:
            process = piece.writer.partition(" ")[0]
            totals[process] = max(piece.total, totals.get(process, 0))
    return sum(totals.values())


def read_programs(folder: Path) -> dict[str, None]:
    """Return the names of other programs that write where the run itself prints, in the order of their first start."""
    return {str(entry.get("name")): None for entry in read_notes(folder, PROGRAM)}


def read_seeds(folder: Path) -> dict[str, None]:
    """Return the seeds that the processes of a run gave to generators, with their lines, in this order."""
    return {str(entry.get("value")): None for entry in read_notes(folder, SEED)}


def read_notes(folder: Path, mark: bytes) -> Iterator[dict[str, Any]]:
    """Yield the notes of all processes of a run whose lines hold a mark."""
    for path in _list_ledgers(folder):
        for line in path.read_bytes().splitlines():
            if mark in line:
                with contextlib.suppress(ValueError, RecursionError):  # torn by a kill, or not ours
                    entry = json.loads(line)
                    if isinstance(entry, dict):
                        yield entry


def _list_ledgers(folder: Path) -> list[Path]:
    """Return the ledgers of all processes of a run.

    What is no file, such as a pipe, would be waited for, and one with holes of any size would fill the memory.
    """
    found = sorted(folder.glob(ledger_name("*")))
    return [path for path in found if path.is_file() and path.stat().st_size <= MAX_LEDGER_BYTES]


class LedgerReader:
    """Takes the lines of a ledger one by one.

    Attributes:
        sources: What they tell.
    """

    def __init__(self) -> None:
        """Start with no source, in step 0."""
        self.sources: dict[str, Source] = {}
        self._by_number: dict[int, Source] = {}
        self._step = 0

    def read(self, entry: Any) -> None:
        """Take one line.

        Raises ValueError, TypeError, KeyError if it is damaged; what comes before the damage is kept.
        """
        if isinstance(entry, list):
            for number, value in entry:
                self._read_value(number, value)
        elif "place" in entry:
            self._read_place(entry)
        elif "note" in entry and (source := self.sources.get(entry.get("key"))) is not None:
            source.notes.append(entry)

    def _read_value(self, number: Any, value: Any) -> None:
        if number != STEP_MARK:
            source = self._by_number[number]
            source.values.append(value)
            source.steps.append(self._step)
        elif type(value) is int and value >= 0:
            self._step = value

    def _read_place(self, entry: dict[str, Any]) -> None:
        number, line = entry["place"], entry.get("line")
        texts = [entry[name] for name in ("key", "kind", "source")]
        if (
            type(number) is not int
            or not all(isinstance(text, str) for text in texts)
            or not isinstance(line, int | None)
        ):
            raise TypeError("a place without number, key, kind and source")
        file, function, through = (
            value if isinstance(value := entry.get(name), str) else None for name in ("file", "function", "through")
        )
        key, kind, name = texts
        source = Source(key=key, kind=kind, source=name, file=file, line=line, function=function, through=through)
        self._by_number[number] = self.sources.setdefault(source.key, source)

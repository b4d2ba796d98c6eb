"""Capture what a process puts out, from the start of its recording to the end.

It goes into a file beside the trace (`reproof.outputs.sidecar`): saved values as they are saved, the rest at the end.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import socket
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Final

from reproof.entropy.found import Found, read_found
from reproof.entropy.ledger import (
    ALL,
    Printed,
    Written,
    read_ledgers,
    read_printed,
    read_process_numbers,
    read_programs,
    read_written,
)
from reproof.entropy.untapped import read_status
from reproof.entropy.written import NOT_OUTPUT, read_own_stamp
from reproof.outputs.contents import read_contents
from reproof.outputs.folder import read_stamps
from reproof.outputs.records import FILLED, FOLDER, RUNS_ON, UNFINISHED, FileOutput, SavedTensor
from reproof.outputs.sidecar import OutputWriter, read_output
from reproof.outputs.surroundings import NAME_DIGITS, Surroundings
from reproof.outputs.vocabulary import OF_MACHINE
from reproof.recorder.outputs.changed_files import find_changes, list_missed, list_outside, list_untouched
from reproof.recorder.outputs.open_files import list_under_way
from reproof.recorder.outputs.printing import PrintedLines, collect_noted, find_places
from reproof.recorder.outputs.saving import BUFFER, digest_array_bytes, read_saved, tap_savers
from reproof.recorder.outputs.teardown import LateWatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from reproof.entropy.written import Stamp
    from reproof.recorder.problems import Problems


MAX_NAMES: Final = 100
MAX_SHOWN: Final = 3
KEPT: Final = ".output.txt"
"""How the name of the file ends, after that of the trace, into which a run prints that reproof has started."""
TRACKED: Final = re.compile(r"(?:\A|/)wandb/(?:offline-)?run-\d{8}_\d{6}-([a-z0-9]{8})/")
"""Where W&B keeps a run: ``wandb/offline-run-20261129_201110-kpe9drzz/``."""
HEXADECIMAL: Final = re.compile(r"[0-9a-f]{6,64}")


class OutputCapture:
    """What one recording captures of the output of its process."""

    def __init__(self, folder: Path, rank: int, problems: Problems, current_step: Callable[[], int]) -> None:
        """Begin to capture.

        Args:
            folder: Folder of the trace.
            rank: The process.
            problems: Takes what could not be captured.
            current_step: Returns the 0-based index of the step under way.

        Effects: replaces ``write`` of `sys.stdout` and `sys.stderr`, functions that save, and functions of `tempfile`
            until `close`; looks through the working folder.
        """
        self._process = os.getpid()
        self._problems = problems
        self._current_step = current_step
        self._lock = threading.RLock()
        self._folder = Path.cwd()
        self._began_at = time.time()
        self._temporary: list[str] = []
        self._other: Surroundings | None = None
        self._identifiers: tuple[str, ...] = ()
        self._outside: list[Written] = []
        self._found = Found({}, {}, {})
        self._saved: dict[str, str] = {}
        self.late = LateWatch()
        self._was_there: dict[str, bool] = {}
        self._elsewhere: list[Printed] = []
        self._programs: dict[str, None] = {}
        self.note_written: Callable[[str], None] = lambda _: None
        self._numbers: set[int] = set()
        self._writer = OutputWriter(folder, rank)
        self._is_first = rank == 0  # one process looks at what all have left
        self._passed: dict[str, None] = {}
        self._before: dict[str, Stamp] = read_stamps(self._folder, self._passed)
        self.printed = PrintedLines()
        self.places = find_places()
        self._logs = set(self.places.values())
        self._keeps_all = self.places["stdout"] == _find_kept(folder)
        self._undo = [tap_savers(self._note_saved), watch_temporary(self._temporary)]
        self.printed.watch()

    @property
    def passed(self) -> tuple[str, ...]:
        """The folders that hold too many files to look through, as absolute paths with a separator at the end."""
        return tuple(f"{os.path.realpath(self._folder / name)}{os.sep}" for name in self._passed)

    def _surroundings(self) -> Surroundings:
        """Return what is known of the run by now."""
        own = Surroundings(
            began_at=self._began_at,
            ended_at=time.time(),
            utc_offset_seconds=time.localtime().tm_gmtoff,
            process_ids=(self._process, os.getppid(), *sorted(self._numbers - {self._process})),
            nearby_ids=find_process_numbers(self._process),
            host=socket.gethostname(),
            user=_user_name(),
            temporary=tuple(self._temporary),
            folder=str(self._folder),
            identifiers=self._identifiers,
        )
        return own if self._other is None else own.join(self._other)

    def take_surroundings_of(self, baseline: Path) -> None:
        """Note that this run is given clocks and process numbers of another, which is recorded in a trace."""
        output = read_output(baseline, 0)
        self._other = None if output is None else output.surroundings

    def _note_saved(self, target: str, value: Any) -> None:
        if os.getpid() != self._process:  # a forked child has no file to write to: what it saves is read at the end
            if target != BUFFER:
                self.note_written(target)
            return
        with self._problems.guard("saved object"):
            is_main = threading.current_thread() is threading.main_thread()
            step = self._current_step() if is_main else 0  # how far the training is meanwhile is a race
            name = self._name(target)
            parts = read_saved(value, self._surroundings(), _choose_digest())
            if target != BUFFER:
                self._saved[os.path.realpath(target)] = name
                self._was_there.setdefault(name, os.path.lexists(target))
            with self._lock:
                self._numbers.add(threading.get_native_id())
                self._writer.add_saved(
                    SavedTensor(
                        step=step,
                        file=name,
                        path=part.name,
                        digest=part.digest,
                        masked=part.masked,
                        text=part.text,
                        was_there=self._was_there.get(name, False),
                    )
                    for part in parts
                )

    def note_stream(self, file: Any, how: str) -> None:
        """Note what the script opens to write: the file to which a stream leads has then more in it than is printed."""
        self.printed.note_copy(file, how)
        if isinstance(file, (str, bytes)) and not os.fsdecode(file).startswith(NOT_OUTPUT):
            with contextlib.suppress(OSError, ValueError):
                status = read_status(file)
                self._logs.discard((status.st_dev, status.st_ino))

    def note_move(self, source: str, target: str) -> None:
        """Note that a file, or the folder that it is in, is moved to its place after something was saved to it."""
        source, target = os.path.realpath(source), os.path.realpath(target)
        for path, name in list(self._saved.items()):
            if path == source or path.startswith(f"{source}{os.sep}"):
                self._saved[f"{target}{path.removeprefix(source)}"] = name

    def _name(self, target: str) -> str:
        """Return the name of a file relative to the folder in which the run began, if it is below that."""
        path = PurePath(target)
        return path.relative_to(self._folder).as_posix() if path.is_relative_to(self._folder) else target

    def take_names(self, trace: Path) -> None:
        """Take from the ledgers, which are written by now, what processes are called and what names are made of.

        Those are the numbers of processes and threads, and random bytes; and the files that were written elsewhere.
        """
        sources = [source for ledger in read_ledgers(trace).values() for source in ledger.values()]
        numbers = [n for source in sources if source.kind == "process-identity" for n in source.values[:MAX_NAMES]]
        self._outside = read_written(trace)
        self._found = read_found(trace)
        self._elsewhere, self._programs = read_printed(trace), read_programs(trace)
        self._numbers |= read_process_numbers(trace) | {number for number in numbers if type(number) is int}
        drawn = [value for source in sources if source.kind == "os-entropy" for value in source.values[:MAX_NAMES]]
        names = [value[:NAME_DIGITS] for value in drawn if isinstance(value, str) and HEXADECIMAL.fullmatch(value)]
        self._identifiers = tuple(dict.fromkeys(names))[:MAX_NAMES]

    def stop(self) -> None:
        """End capturing: what is printed and saved from now on is not the run's."""
        self._replaced = self.printed.list_replaced()
        self.printed.stop()
        while self._undo:
            self._undo.pop()()

    def close(self, *, is_whole: bool) -> None:
        """Read the files that the run has left, and write what was captured.

        Args:
            is_whole: Whether the run went to its end; of another, only what it has saved is kept.
        """
        self.stop()
        if not is_whole:
            self._writer.finish(None)
            return
        lines, unkept = self.printed.finish()
        lines += collect_noted(self._elsewhere)
        notes = [] if self._keeps_all else list(self._list_unseen())
        unfinished, running = list_under_way()
        num_passed = len(self._passed)
        after = read_stamps(self._folder, self._passed) if self._is_first else {}
        notes += tell_passed(list(self._passed), num_passed) if self._is_first else ()
        self._temporary += find_run_names(after.keys() - self._before.keys())
        known = self._surroundings()
        programs = dict.fromkeys(name for name in running if name not in OF_MACHINE)
        notes += [f"what {name}, which the script has started, {RUNS_ON}" for name in programs]
        files = list(self._read_files(known, after, unfinished, notes)) if self._is_first else []
        self._writer.finish(
            known, lines=lines, unkept=unkept, files=files, notes=notes, printed=self.printed.num_characters
        )
        self.late.begin(self._writer.path, keeps_lines=self._keeps_all)

    def _list_unseen(self) -> Iterator[str]:
        """Yield what may have been printed and is not known: only a run that reproof has started has a file of it."""
        if self._programs:
            names = ", ".join(list(self._programs)[:MAX_SHOWN])
            yield f"lines that other programs print ({names}) are seen by `reproof check` alone"
        for stream in self._replaced:
            yield f"lines that the script prints past the sys.{stream} it began with are seen by `reproof check` alone"
        if self.printed.copied:
            names = ", ".join(list(self.printed.copied)[:MAX_SHOWN])
            yield f"lines that the script prints past Python's streams ({names}) are seen by `reproof check` alone"
        if any(piece.is_last for piece in self._elsewhere):
            yield "a process that the script starts has printed more than is kept of it"

    def _read_files(
        self, known: Surroundings, after: dict[str, Stamp], unfinished: set[str], notes: list[str]
    ) -> Iterator[FileOutput]:
        before, after = map(self._without_streams, (self._before, after))
        for name, stamp in after.items():
            if name[-1] != os.sep:
                shown = PurePath(name).as_posix()
                self.late.add(str(self._folder / name), shown, stamp, was_there=name in before)
        changes = find_changes(before, after)
        for name in changes.changed:
            if name.endswith(os.sep):
                yield FileOutput(name=f"{PurePath(name).as_posix()}/", format=FOLDER)
                continue
            found = read_contents(self._folder / name, PurePath(name).as_posix(), known)
            saved_as = self._saved.get(str(self._folder / name))
            open_still = UNFINISHED if str(self._folder / name) in unfinished else found.not_compared
            yield replace(found, was_there=name in before, saved_as=saved_as, not_compared=open_still)
        if any(file.path == ALL for file in self._outside):
            notes.append("files outside of the working folder beyond the first 20,000 that a process has written")
        for file in list_outside(self._outside):
            self.late.add(file.path, file.name, read_own_stamp(file.path), was_there=file.was_there)
            found = read_contents(Path(file.path), file.name, known, file.num_earlier)
            was_there = file.was_there and not file.num_earlier
            yield replace(found, was_there=was_there, saved_as=self._saved.get(file.path))
        paths = {str(self._folder / name): name for name in after if name[-1] != os.sep}
        left = set(changes.untouched)
        stamps = {path: after[name] if name in left else None for path, name in paths.items()}
        yield from list_untouched(self._folder, stamps, self._found.paths, self._began_at)
        yield from list_missed(self._folder, self._found, self._saved)

    def _without_streams(self, stamps: dict[str, Stamp]) -> dict[str, Stamp]:
        """Return files but those to which streams alone are written: their lines are compared as such."""
        try:
            device = self._folder.stat().st_dev
        except OSError:  # the script has deleted its folder
            return stamps
        return {
            name: stamp
            for name, stamp in stamps.items()
            if (device, stamp[2]) not in self._logs or str(self._folder / name) in self._saved
        }


def _find_kept(trace: Path) -> tuple[int, int] | None:
    try:
        status = trace.with_name(trace.name + KEPT).stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def tell_passed(names: Sequence[str], num_early: int) -> Iterator[str]:
    """Yield what is not known of folders that were passed over; what Python writes is, in those so from the start."""
    early = FILLED.replace("files", "what is not written by Python", 1)
    for told, some in ((early, names[:num_early]), (FILLED, names[num_early:])):
        more = f" and {len(some) - MAX_SHOWN} more" if len(some) > MAX_SHOWN else ""
        if some:
            yield f"{told}: {', '.join(some[:MAX_SHOWN])}{more}"


def find_run_names(made: Iterable[str]) -> list[str]:
    """Return the random names that W&B has given to the run, by the folders that were made for them."""
    return list(dict.fromkeys(match[1] for name in made if (match := TRACKED.search(name)) is not None))


def find_process_numbers(own: int) -> tuple[int, int] | None:
    """Return the first and last of the numbers that processes and threads of this run may have got.

    Linux numbers them one after the other, for all programs of the machine together, and tells the last one at the end
    of ``/proc/loadavg`` (proc(5)). None elsewhere, and where the numbers have begun anew.
    """
    try:
        last = int(Path("/proc/loadavg").read_text(encoding="ascii").split()[-1])
    except (OSError, ValueError, IndexError):
        return None
    return (own, last) if last >= own else None


def _choose_digest() -> Callable[[Any], tuple[bytes, int]]:
    """Return what digests tensors and arrays; without PyTorch there are only arrays, and it must not be imported."""
    if "torch" not in sys.modules:
        return digest_array_bytes
    from reproof.recorder.evidence import digest_leaf

    return digest_leaf


def _user_name() -> str | None:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no variable tells it, and the system knows no such number
        return None


def watch_temporary(found: list[str]) -> Callable[[], None]:
    """Have the names of temporary files and folders noted that the process is given; return what ends it.

    Effects: replaces `tempfile.mkdtemp` and the function by which the module makes files.
    """
    module: Any = tempfile
    originals = {name: getattr(module, name) for name in ("mkdtemp", "_mkstemp_inner") if hasattr(module, name)}
    tapped: dict[str, Any] = {}

    def tap(original: Callable[..., Any]) -> Callable[..., Any]:
        def make(*args: Any, **kwargs: Any) -> Any:
            made = original(*args, **kwargs)
            path = made[1] if isinstance(made, tuple) else made
            if isinstance(path, (str, bytes)):
                found.append(os.fsdecode(path))
            return made

        return make

    for name, original in originals.items():
        tapped[name] = tap(original)
        setattr(module, name, tapped[name])

    def stop() -> None:
        for name, original in originals.items():
            if getattr(module, name) is tapped[name]:
                setattr(module, name, original)

    return stop

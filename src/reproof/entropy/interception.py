"""Stand between a program and its sources of entropy: note each read, or give the value of an earlier run.

A *tap* is put in the place of a function. It finds out once per call site which line of the user's it serves, and is
then a dictionary look-up, the function itself and an append. Reads by Python's own machinery (a lock that waits, a
logger that stamps its line) and by PyTorch's are passed through unseen: they do not reach the training.
"""

from __future__ import annotations

import functools
import itertools
import os
import re
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from reproof.entropy.handled import let_through
from reproof.entropy.ledger import OF_TASK, Ledger, Ledgers, Place, Source, read_ledgers
from reproof.entropy.printed import is_digest
from reproof.entropy.sites import LIBRARY, OURS, PYTHON, USER, Site, find_user_frame, owner_of, site_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import CodeType, FrameType

    from reproof.entropy.plan import Plan
    from reproof.schema import CauseKind

INFRASTRUCTURE: Final = frozenset({"torch", "numpy", "wrapt", "xxhash", "_pytest"})
"""Packages whose own reads do not reach the training: time stamps of profilers, identities of processes."""

MEASURING: Final = ("torch.utils.benchmark", "torch.autograd.profiler_util")
"""Parts of these packages that read the clock for whoever calls them."""

IMPORTING: Final = "<frozen importlib"
"""The file of the frames of Python's import system."""

FROZEN: Final = "<frozen "
"""How the files of the modules begin that are compiled into Python: its import system, `os`, `os.path`."""

FETCHERS: Final = os.path.join("_utils", "fetch.py")  # noqa: PTH118  # the end of a path, as text

BY_TASK: Final = frozenset({"unseeded-generator", "unseeded-rng", "os-entropy"})
"""Kinds of reads that count in a thread without a line of the user's: what it computes may go on from them."""

START: Final = "@start"
"""How the keys end of the states in which the global generators of a process start."""

WORKER: Final = re.compile(r"(.*\.pool\d+\.)\d+")
"""Label of the worker of a pool: that of the pool, and a number."""

RUNNERS: Final = frozenset({"concurrent", "threading", "multiprocessing"})
"""Modules of the standard library that run tasks in threads."""


def same(value: Any) -> Any:
    """Return the value."""
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Tap:
    """How one function is tapped.

    Attributes:
        source: Its name, such as ``time.time``.
        kind: Kind of cause that a read would be.
        python: Modules of the standard library whose reads count as the user's; ``*`` for all.
        libraries: Whether reads by installed packages count as the user's.
        applies: Whether a call with these arguments reads the source at all.
        encode: Turns a value into what JSON has; None for values that are.
        decode: Turns it back, given the arguments of the call.
        is_clock: Whether values go on from the last one replayed when there are no more.
        stands_in: Whether it is called by a function of ours that stands in for another: who calls that one counts.
    """

    source: str
    kind: CauseKind
    python: frozenset[str] = frozenset()
    libraries: bool = True
    applies: Callable[..., bool] | None = None
    encode: Callable[[Any], Any] | None = None
    decode: Callable[..., Any] | None = None
    is_clock: bool = False
    stands_in: bool = False


class Errand(Protocol):
    """Who tells for what a thread works."""

    @property
    def name(self) -> str:
        """Name of the task or thread that asks, the same in every run."""

    @property
    def site(self) -> Site | None:
        """Line of the user's that handed in the task or started the thread, or None."""


class Interceptor:
    """The taps of this process, its ledger and what is replayed.

    Attributes:
        process: Rank and child numbers of this process.
        ledger: Where reads are written.
        child_numbers: Numbers of the children to come.
        details: What an earlier run that was watched has noted.
        candidate: What the candidate has noted.
        count_events: Returns how many events of the training are recorded; None in a process that records none.
        task: Name of the task that this worker of a pool does, or None.
        on_task: Called with that name whenever it has changed.
        on_flush: Called when what is kept must be written, because the process may end.
        workers: Who tells for which line of the user's a thread works, or None.
    """

    def __init__(self, folder: Path, process: str, plan: Plan, count_events: Callable[[], int] | None = None) -> None:
        """Open the ledger of this process.

        `process` is the rank, with the number of each child on the way to this process; `count_events` returns how many
        events of the training are recorded.
        """
        self.count_events = count_events
        self.workers: Errand | None = None
        self.folder = folder.absolute()
        self.process = process
        self.plan = plan
        self.ledger = Ledger(self.folder, process)
        self.child_numbers = itertools.count(1)
        self.details: Ledgers = read_ledgers(Path(plan.details)) if plan.details else {}
        self._baseline: Ledgers = read_ledgers(Path(plan.baseline)) if plan.baseline else {}
        self.candidate: Ledgers = read_ledgers(Path(plan.candidate)) if plan.candidate else {}
        self._places: dict[str, Place] = {}
        self._lock = threading.RLock()
        self.on_child: list[Callable[[], None]] = []
        self.task: str | None = None
        self.on_task: list[Callable[[str | None], None]] = []
        self.on_step: list[Callable[[], None]] = []
        self.on_close: list[Callable[[], None]] = []
        self.on_flush: list[Callable[[], None]] = []

    def tap(self, original: Callable[..., Any], tap: Tap, home: str | None = None) -> Callable[..., Any]:
        """Return a function that does what another one does, and notes or replays what it returns.

        `home` is the module in which it is found under its name, if not the one it says: for those who pickle it.
        """
        # By code object and instruction: a line that calls twice has two entries, and finding one costs no look at the
        # names of files. What is searched for once per entry is whose line it is.
        known: dict[tuple[int, int], tuple[CodeType, Place | None]] = {}
        get_frame = sys._getframe  # noqa: SLF001  # the documented way to the stack
        encode, applies = tap.encode, tap.applies

        @functools.wraps(original)
        def tapped(*args: Any, **kwargs: Any) -> Any:
            frame = get_frame(1)
            found = known.get((id(frame.f_code), frame.f_lasti))
            place = found[1] if found is not None else self._find_place(tap, frame, known)
            if place is None or (applies is not None and not judge(applies, args, kwargs)):
                return original(*args, **kwargs)
            if place.values is not None or place.offset is not None:
                return self._replay(original, tap, place, args, kwargs)
            value = original(*args, **kwargs)
            try:
                place.note(value if encode is None else encode(value))
            except Exception as error:  # noqa: BLE001  # nothing of ours may reach the program
                place.note_problem(error)
            return value

        tapped.__module__ = home or tapped.__module__
        tapped.__dict__["_torchdynamo_disable"] = True  # as the original, it is called and not traced
        return tapped

    @staticmethod
    def _replay(
        original: Callable[..., Any], tap: Tap, place: Place, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Return the value of an earlier run. After the last one a clock goes on from it; all else is read."""
        decode, encode = tap.decode or _second, tap.encode or same
        is_replayed, recorded = place.take()
        if is_replayed:
            try:
                value = decode(recorded, *args, **kwargs)
                if tap.is_clock:
                    place.offset = recorded - encode(original(*args, **kwargs))
            except Exception as error:  # noqa: BLE001  # a ledger may hold anything
                place.note_problem(error)
            else:
                place.note(recorded)
                return value
        value = original(*args, **kwargs)
        try:
            encoded = encode(value)
            if place.offset is not None:
                encoded += place.offset
                value = decode(encoded, *args, **kwargs)
            place.note(encoded)
        except Exception as error:  # noqa: BLE001  # as above
            place.note_problem(error)
        return value

    def _find_place(
        self, tap: Tap, frame: FrameType, known: dict[tuple[int, int], tuple[CodeType, Place | None]]
    ) -> Place | None:
        """Return the place of a call, or None if it does not count; remember what holds for each call from there."""
        try:
            return self._search_place(tap, frame, known)
        except Exception as error:  # noqa: BLE001  # nothing of ours may reach the program
            self.ledger.add_problem(f"a read of {tap.source} is not recorded: {type(error).__name__}: {error}")
            let_through(error)
            return None

    def _search_place(
        self, tap: Tap, frame: FrameType, known: dict[tuple[int, int], tuple[CodeType, Place | None]]
    ) -> Place | None:
        code = frame.f_code
        owner = owner_of(code.co_filename)
        if owner == OURS and tap.stands_in:
            outer = leave_own(frame)
            if outer is None:
                return None
            owner = owner_of(outer.f_code.co_filename)
            find = self.place_of if owner == USER or self._counts(tap, outer, owner) else self._place_of_task
            return find(tap.source, tap.kind, outer)
        if owner == USER:
            place = self.place_at(tap.source, tap.kind, frame)
        elif not self._counts(tap, frame, owner):
            of_task = self._place_of_task(tap.source, tap.kind, frame)
            if of_task is not None or (owner == PYTHON and tap.python):
                return of_task  # the same line of `random` serves a package that is imported, and later the user
            place = None
        elif owner == PYTHON and (asker := find_asker(frame)) is not None and is_infrastructure(asker):
            return None
        else:
            return self.place_of(tap.source, tap.kind, frame)  # whose line it serves may be another next time
        known[id(code), frame.f_lasti] = (code, place)  # the code is kept, so that its id stays its own
        return place

    @staticmethod
    def _counts(tap: Tap, frame: FrameType, owner: int) -> bool:
        if owner == OURS:
            return False
        if owner == PYTHON:
            return "*" in tap.python or all(name in tap.python for name in find_packages(frame))
        return tap.libraries and not is_infrastructure(frame)

    def place_of(self, source: str, kind: CauseKind, frame: FrameType | None) -> Place | None:
        """Return the place of a read by the user's line that a frame was called from; None without such a line."""
        user = find_user_frame(frame)
        if user is None:
            return self._place_of_task(source, kind, frame)
        through = None
        while frame is not None and frame is not user:
            if frame.f_code.co_filename.startswith(IMPORTING):
                return None  # what a package does while it is imported is not the user's line
            if owner_of(frame.f_code.co_filename) == LIBRARY:
                through = package_of(frame)
            frame = frame.f_back
        return self.place_at(source, kind, user, through)

    def _place_of_task(self, source: str, kind: CauseKind, frame: FrameType | None) -> Place | None:
        """Return the place of a read by a thread without a line of the user's: that which handed in its task.

        Each task has its own values: in which order the threads of a pool read is a race.
        """
        site = None if self.workers is None or kind not in BY_TASK else self.workers.site
        if site is None or self.workers is None or not is_of_task(frame):
            return None
        return self.place_on(source, kind, site, task=self.workers.name)

    def place_of_caller(self, source: str, kind: CauseKind, frame: FrameType | None, within: str) -> Place | None:
        """Return the place of a call, if it comes from the user's own line and not by a package.

        Frames of `within`, a package of the standard library, are passed over: one method calls another.
        """
        while frame is not None and owner_of(frame.f_code.co_filename) in {OURS, PYTHON}:
            if owner_of(frame.f_code.co_filename) == PYTHON and package_of(frame) != within:
                return None
            frame = frame.f_back
        return self.place_at(source, kind, frame) if frame is not None and self.is_user(frame) else None

    @staticmethod
    def is_user(frame: FrameType) -> bool:
        """Whether a frame is of the user's code."""
        return owner_of(frame.f_code.co_filename) == USER

    def place_at(self, source: str, kind: CauseKind, frame: FrameType, through: str | None = None) -> Place:
        """Return the place of a source at the line of the user's where a frame is."""
        return self.place_on(source, kind, site_of(frame), through, frame)

    def place_on(
        self,
        source: str,
        kind: CauseKind,
        site: Site,
        through: str | None = None,
        frame: FrameType | None = None,
        *,
        task: str | None = None,
    ) -> Place:
        """Return the place of a source on a line of the user's, or of one task that was handed in there."""
        key = f"{source}@{site.file}:{site.line}{'' if task is None else f'{OF_TASK}{task}'}"
        place = self._places.get(key)
        if place is None:
            if is_in_worker_init(frame):
                kind = "worker-seeding"
            entry = {"key": key, "kind": kind, "source": source, "file": site.file, "line": site.line}
            place = self.add_place({**entry, "function": site.function, "through": through})
        return place

    def add_place(self, entry: dict[str, Any]) -> Place:
        """Return the place with this key, written down if it is new."""
        with self._lock:
            place = self._places.get(entry["key"])
            if place is None:
                place = Place(self.ledger, entry, self.values_of(entry["key"]))
                self._places[entry["key"]] = place
        return place

    def values_of(self, key: str) -> list[Any] | None:
        """Return the values that this process is to replay for a source, or None to read it."""
        ledgers = self._baseline if self.plan.chooses(key) else self.candidate
        source = ledgers.get(self.process, {}).get(key)
        if source is None and key.endswith(START):
            source = find_fellow(ledgers, self.process, key)
        return None if source is None or any(map(is_digest, source.values)) else source.values

    def flush(self) -> None:
        """Write what was read by this process."""
        for action in self.on_flush:
            action()
        self.ledger.flush()

    def enter_task(self, name: str | None) -> None:
        """Note which task this worker of a pool does from here on; None between tasks."""
        if name != self.task:
            self.task = name
            for action in self.on_task:
                action(name)

    def enter_child(self, process: str) -> None:
        """Start a ledger for a forked child, and replay what the same child read in the earlier run.

        Effects: forgets what was not written; that is the parent's to write.
        """
        self.process = process
        self.child_numbers = itertools.count(1)
        self.task = None
        self._lock = threading.RLock()
        self.ledger = Ledger(self.folder, process)
        for place in self._places.values():  # the taps hold on to them
            place.move(self.ledger, self.values_of(place.key))
        for action in self.on_child:
            action()


def find_fellow(ledgers: Ledgers, process: str, key: str) -> Source | None:
    """Return a source of another worker of the same pool: which of them has something to do is a race."""
    pool = WORKER.match(process)
    if pool is None:
        return None
    fellows = sorted(label for label in ledgers if label.startswith(pool[1]) and key in ledgers[label])
    return ledgers[fellows[0]][key] if fellows else None


def _second(value: Any, *_args: Any, **_kwargs: Any) -> Any:
    return value


def find_asker(frame: FrameType | None) -> FrameType | None:
    """Return the frame of the installed package that a call serves, if it comes from one before the user's code."""
    while frame is not None and (owner := owner_of(frame.f_code.co_filename)) != USER:
        if owner == LIBRARY:
            return frame
        frame = frame.f_back
    return None


def is_infrastructure(frame: FrameType) -> bool:
    """Whether the code of a frame belongs to a package whose own reads do not reach the training."""
    is_measuring = str(frame.f_globals.get("__name__", "")).startswith(MEASURING)
    return package_of(frame) in INFRASTRUCTURE and not is_measuring


def find_packages(frame: FrameType | None) -> Iterator[str]:
    """Yield the modules of the standard library through which a call goes, before it leaves that library."""
    while frame is not None and owner_of(path := frame.f_code.co_filename) == PYTHON:
        if not path.startswith("<") or path.startswith(FROZEN):  # others are made of text, as a dataclass's __init__
            yield package_of(frame)
        frame = frame.f_back


def is_of_task(frame: FrameType | None) -> bool:
    """Whether a call comes from a task of a thread in which nothing is imported, and from no package of the tools."""
    while frame is not None:
        owner = owner_of(path := frame.f_code.co_filename)
        if owner == USER or path.startswith(IMPORTING) or (owner == PYTHON and package_of(frame) not in RUNNERS):
            return False
        if owner == LIBRARY and package_of(frame) in INFRASTRUCTURE:
            return False
        frame = frame.f_back
    return True


def package_of(frame: FrameType) -> str:
    """Return the name of the package to which the code of a frame belongs."""
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


def judge(applies: Callable[..., bool], args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether a call reads the source; one with wrong arguments does not, and gets its own error."""
    try:
        return applies(*args, **kwargs)
    except Exception:  # noqa: BLE001  # of whatever the arguments are
        return False


def leave_own(frame: FrameType | None) -> FrameType | None:
    """Return the innermost frame that is not ours, from this one outwards."""
    while frame is not None and owner_of(frame.f_code.co_filename) == OURS:
        frame = frame.f_back
    return frame


def is_in_worker_init(frame: FrameType | None) -> bool:
    """Whether a frame is within the `worker_init_fn` of a DataLoader.

    `torch.utils.data._utils.worker._worker_loop` calls it; samples are fetched through the module `fetch`.
    """
    while frame is not None and not frame.f_code.co_filename.endswith(FETCHERS):
        if frame.f_code.co_name == "_worker_loop" and owner_of(frame.f_code.co_filename) == LIBRARY:
            return True
        frame = frame.f_back
    return False

"""Put the taps into this process, and into those that it starts."""

from __future__ import annotations

import atexit
import itertools
import multiprocessing.spawn
import multiprocessing.util
import os
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import wrapt

from reproof.entropy.calls.table import CALLS
from reproof.entropy.found import follow_looks
from reproof.entropy.interception import Interceptor
from reproof.entropy.ledger import POOL
from reproof.entropy.plan import Plan, plan_from_json
from reproof.entropy.programs import Program, follow_programs
from reproof.entropy.races.table import RACES
from reproof.entropy.races.workers import Workers
from reproof.entropy.registry import install_rows
from reproof.entropy.replacing import replace_function
from reproof.entropy.rewriting.modules import change_cell, compile_module
from reproof.entropy.rewriting.table import REWRITING
from reproof.entropy.sites import USER, Base, find_user_frame, owner_of, site_of
from reproof.entropy.sources.generators import Generators
from reproof.entropy.sources.table import SOURCES
from reproof.entropy.written import follow_writes
from reproof.schema import PROCESSES, Origin

if TYPE_CHECKING:
    import ast
    from collections.abc import Callable
    from types import CodeType, FrameType


FORKSERVER: Final = "ignore"
"""The name under which `multiprocessing` asks for what the fork server needs, which is no child of the user's."""

LOKY: Final = ("loky.backend.spawn", "joblib.externals.loky.backend.spawn")
"""Modules that spawn processes as `multiprocessing.spawn` does."""

ENTER: Final = """
import sys
sys.path.append({package!r})
try:
    from {module} import enter_spawned
    enter_spawned(*{arguments!r})
except Exception as error:
    print(f"reproof: a spawned process is not recorded: {{error}}", file=sys.stderr)
    import os
    if {lost!r}:
        os.makedirs({lost!r}, exist_ok=True)
finally:
    sys.path.remove({package!r})
"""
"""What a spawned child executes. Its `sys.path` is not yet its parent's, and we may not be installed.

An empty folder for its trace tells that it is not recorded.
"""

STARTERS: Final = {"_repopulate_pool_static": "inqueue", "_spawn_process": "self", "_adjust_process_count": "self"}
"""Functions that start the workers of pools and executors, with a variable that holds an object of the pool."""

WORKER_STARTER: Final = os.path.join("torch", "utils", "data", "dataloader.py")  # noqa: PTH118  # the end of a path, as text
"""The file that starts the workers of a DataLoader, whose batches their parent sees."""


class Pools:
    """Numbers the pools of a process, and the workers of each.

    How many workers a pool starts can depend on how fast they are: so they are not counted with the other children.
    """

    def __init__(self) -> None:
        """Start without pools."""
        self._num_pools = itertools.count(1)

    def number_worker(self, pool: Any) -> str:
        """Return what stands in the label of the next worker of a pool, which is known by one of its objects."""
        known = vars(pool).get("_reproof_pool")
        if known is None:
            known = (next(self._num_pools), itertools.count(1))
            vars(pool)["_reproof_pool"] = known
        return f"{POOL}{known[0]}.{next(known[1])}"


class Follower(Protocol):
    """What else a process does that this one starts."""

    def enter(self, origin: Origin, *, is_worker: bool) -> None:
        """Begin in a forked child, in which the taps are in place."""

    def leave(self, status: int) -> None:
        """End in a process that ends at once, by `os._exit` with this status."""

    def started(self, program: str) -> None:
        """Hear of a program that is about to be started, no Python of ours, and writes where this process does."""

    def spawned(self, origin: Origin, *, is_worker: bool) -> tuple[str, dict[str, Any]]:
        """Return a module, whose `enter_spawned` a spawned child calls, and what it is given besides what ours is."""


class Taps:
    """All taps of this process.

    Attributes:
        interceptor: The ledger and what is replayed.
        generators: The global generators.
        written: Notes the files that are written elsewhere than in the working folder.
        follower: What else is done in processes that this one starts, or None.
    """

    def __init__(self, folder: Path, process: str, plan: Plan, count_events: Callable[[], int] | None = None) -> None:
        """Tap this process: at once what is imported, and NumPy and PyTorch as soon as they are.

        `process` is the rank, with the number of each child on the way to this process; `count_events` returns how many
        events of the training are recorded, and is None in a process that records none. Effects: replaces functions of
        the standard library, NumPy and PyTorch for the life of the process.
        """
        if plan.origin is not None:
            Base.origin = f"{plan.origin}{os.sep}"
        self.interceptor = Interceptor(folder, process, plan, count_events)
        self.follower: Follower | None = None
        self._thread = threading.local()
        self._pools = Pools()
        self.generators = Generators(self.interceptor)
        self.interceptor.workers = workers = Workers()
        install_rows(
            (*SOURCES, *RACES, *REWRITING, *CALLS),
            {"interceptor": self.interceptor, "generators": self.generators, "workers": workers},
        )
        self.written = follow_writes(self.interceptor)
        follow_looks(self.interceptor)
        self._follow_children()

    @property
    def problem(self) -> str | None:
        """Why the ledger is not whole, or None."""
        return "; ".join(self.interceptor.ledger.problems) or None

    def recompile(self, code: CodeType) -> CodeType:
        """Return the code of the script, compiled anew if some of its calls have to pass through us."""
        return compile_module(code.co_filename, self.interceptor.plan) or code

    def change_cell(self, tree: ast.AST, path: str, source: str) -> ast.AST:
        """Return a statement of a cell, changed in the same way; `source` is the text of all cells."""
        return change_cell(tree, path, source, self.interceptor.plan)

    def begin_step(self, step: int) -> None:
        """Note that a step of the training begins."""
        for act in self.interceptor.on_step:
            act()
        self.interceptor.ledger.begin_step(step)

    def close(self) -> None:
        """Write what is left and close the ledger."""
        for finish in self.interceptor.on_close:
            finish()
        self.generators.close()
        self.interceptor.ledger.flush()
        self.interceptor.ledger.close()

    def _follow_children(self) -> None:
        # Forked children inherit the taps and need a ledger of their own; spawned ones start empty, and are tapped by
        # what they unpickle first (`Entry`). A child that `multiprocessing` forked ends by `os._exit`, which runs no
        # exit handlers: so its ledger is closed by a finalizer, and `os._exit` itself writes what is left.
        os.register_at_fork(before=self._count_child, after_in_child=self._enter_child)
        multiprocessing.util.register_after_fork(self, Taps._close_at_exit)
        atexit.register(self.close)  # a child that was spawned, or forked by hand, may end like its parent
        leave = os._exit  # documented, in spite of its name

        def leave_written(status: int) -> None:
            self.written.finish()
            self.interceptor.flush()
            if self.follower is not None:
                self.follower.leave(status)
            self.close()
            leave(status)

        replace_function(os, "_exit", leave_written)
        follow_programs(self._describe_program, self._tell_program)
        self._follow_spawned(multiprocessing.spawn)
        for copy in LOKY:
            wrapt.when_imported(copy)(self._follow_spawned)

    def _follow_spawned(self, module: Any) -> None:
        """Have the children tapped that a module spawns."""
        prepare = module.get_preparation_data

        def prepare_tapped(name: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
            data = prepare(name, *args, **kwargs)
            if name == FORKSERVER:
                return data  # type: ignore[no-any-return]
            return {**data, "reproof": self._make_entry()}

        replace_function(module, "get_preparation_data", prepare_tapped)

    def _count_child(self) -> None:
        """Number the child that this thread is about to start, and keep what is known of it."""
        interceptor = self.interceptor
        interceptor.flush()
        frame = sys._getframe(1)  # noqa: SLF001  # the documented way to the stack
        pool = find_pool(frame)
        number = next(interceptor.child_numbers) if pool is None else self._pools.number_worker(pool)
        label = f"{interceptor.process}.{number}"
        self._thread.origin = find_origin(label, frame, interceptor.count_events)
        self._thread.is_worker = is_starting_worker(frame)

    def _enter_child(self) -> None:
        origin: Origin = self._thread.origin
        self.interceptor.enter_child(origin.label)
        self._pools = Pools()
        if self.follower is not None:
            self.follower.enter(origin, is_worker=self._thread.is_worker)

    def _describe_program(self, is_direct: bool) -> Program:  # noqa: FBT001  # as `follow_programs` calls it
        """Return what a Python program is told that is about to be started, or one that may start several."""
        entry = self._make_entry("" if is_direct else ".run0")
        folder = str(self.interceptor.folder / PROCESSES)
        return Program(label=entry.process, text=entry.program, folder=folder)

    def _tell_program(self, name: str) -> None:
        if self.follower is not None:
            self.follower.started(name)

    def _make_entry(self, more_label: str = "") -> Entry:
        """Return what taps the child that this thread is about to spawn."""
        self._count_child()
        origin: Origin = replace(self._thread.origin, label=f"{self._thread.origin.label}{more_label}")
        module: str = __name__
        more: tuple[Any, ...] = ()
        if self.follower is not None:
            module, child = self.follower.spawned(origin, is_worker=self._thread.is_worker)
            more = (child,)
        lost = "" if self._thread.is_worker else str(self.interceptor.folder / PROCESSES / origin.label)
        return Entry(origin.label, self.interceptor, module, more, lost)

    def _close_at_exit(self) -> None:
        """Write the end of a child's ledger: children of `multiprocessing` run finalizers, not exit handlers."""
        multiprocessing.util.Finalize(None, self.close, exitpriority=-100)


class Entry:
    """Taps a spawned child by being unpickled there, before anything of the user's is.

    Attributes:
        process: Label of the child.
        program: The Python program that taps it.
    """

    def __init__(
        self, process: str, interceptor: Interceptor, module: str, more: tuple[Any, ...] = (), lost: str = ""
    ) -> None:
        """Describe the child that is about to be spawned.

        The child calls `enter_spawned` of `module`, with the plain values `more` besides ours. `process` is its label,
        the interceptor its parent's; the folder `lost` is created if it cannot be recorded.
        """
        arguments = (str(interceptor.folder), process, Base.prefix, interceptor.plan.to_json(), *more)
        package = str(Path(__file__).parents[2])
        self.process = process
        self.program = ENTER.format(package=package, module=module, arguments=arguments, lost=lost)

    def __reduce__(self) -> tuple[Any, ...]:
        """Have the child call `enter_spawned`, by a function that it has even if it cannot import us."""
        return exec, (self.program,)


def enter_spawned(folder: str, process: str, base: str, plan: dict[str, Any]) -> Taps:
    """Tap a spawned child and return its taps. Effects: as `Taps`; imports nothing that is not imported."""
    Base.prefix = base
    return Taps(Path(folder), process, plan_from_json(plan))


def find_origin(label: str, frame: FrameType | None, count_events: Callable[[], int] | None) -> Origin:
    """Return what is known of a process that a frame is about to start."""
    num_events = None if count_events is None else count_events()
    user = find_user_frame(frame)
    if user is None:
        return Origin(label=label, num_events=num_events)
    site = site_of(user)
    return Origin(label=label, file=site.file, line=site.line, num_events=num_events)


def find_pool(frame: FrameType | None) -> Any:
    """Return an object of the pool for which a frame is about to start a worker, or None. Read from Python 3.11."""
    while frame is not None and owner_of(frame.f_code.co_filename) != USER:
        name = STARTERS.get(frame.f_code.co_name)
        found = None if name is None else frame.f_locals.get(name)
        if hasattr(found, "__dict__"):
            return found
        frame = frame.f_back
    return None


def is_starting_worker(frame: FrameType | None) -> bool:
    """Whether a frame is about to start a worker of a DataLoader, which the user's own code within one is not."""
    while frame is not None and owner_of(frame.f_code.co_filename) != USER:
        if frame.f_code.co_filename.endswith(WORKER_STARTER):
            return True
        frame = frame.f_back
    return False

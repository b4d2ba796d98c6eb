"""Put the taps into this process, and into those that it starts."""

from __future__ import annotations

import atexit
import multiprocessing.spawn
import multiprocessing.util
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reproof.entropy.interception import Interceptor
from reproof.entropy.plan import Plan, plan_from_json
from reproof.entropy.races.table import RACES
from reproof.entropy.races.workers import Workers
from reproof.entropy.registry import install_rows
from reproof.entropy.replacing import replace_function
from reproof.entropy.rewriting.modules import compile_module
from reproof.entropy.rewriting.table import REWRITING
from reproof.entropy.sites import Base
from reproof.entropy.sources.generators import Generators
from reproof.entropy.sources.table import SOURCES

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType


FORKSERVER: Final = "ignore"
"""The name under which `multiprocessing` asks for what the fork server needs, which is no child of the user's."""

ENTER: Final = """
import sys
sys.path.append({package!r})
try:
    from {module} import enter_spawned
    enter_spawned(*{arguments!r})
except Exception as error:
    print(f"reproof: the entropy of a spawned process is not recorded: {{error}}", file=sys.stderr)
finally:
    sys.path.remove({package!r})
"""
"""What a spawned child executes. Its `sys.path` is not yet its parent's, and we may not be installed."""


class Taps:
    """All taps of this process.

    Attributes:
        interceptor: The ledger and what is replayed.
        generators: The global generators.
    """

    def __init__(self, folder: Path, process: str, plan: Plan, count_events: Callable[[], int] | None = None) -> None:
        """Tap this process: at once what is imported, and NumPy and PyTorch as soon as they are.

        Args:
            folder: Folder of the trace.
            process: Rank, and the number of each child on the way to this process.
            plan: What is replayed, varied and watched.
            count_events: Returns how many events of the training are recorded; None in a process that records none.

        Effects: replaces functions of the standard library, NumPy and PyTorch for the life of the process.
        """
        self.interceptor = Interceptor(folder, process, plan, count_events)
        self._thread = threading.local()
        self.generators = Generators(self.interceptor)
        install_rows(
            (*SOURCES, *RACES, *REWRITING),
            {"interceptor": self.interceptor, "generators": self.generators, "workers": Workers()},
        )
        self._follow_children()

    @property
    def problem(self) -> str | None:
        """Why the ledger is not whole, or None."""
        return "; ".join(self.interceptor.ledger.problems) or None

    def recompile(self, code: CodeType) -> CodeType:
        """Return the code of the script, compiled anew if some of its calls have to pass through us."""
        return compile_module(code.co_filename, self.interceptor.plan) or code

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
        atexit.register(self.interceptor.flush)  # a child that is forked by hand may end like its parent
        leave = os._exit  # documented, in spite of its name

        def leave_written(status: int) -> None:
            self.interceptor.flush()
            leave(status)

        replace_function(os, "_exit", leave_written)
        prepare = multiprocessing.spawn.get_preparation_data

        def prepare_tapped(name: str) -> dict[str, Any]:
            data = prepare(name)
            if name == FORKSERVER:
                return data
            return {**data, "reproof": Entry(self._count_child(), self.interceptor)}

        replace_function(multiprocessing.spawn, "get_preparation_data", prepare_tapped)

    def _count_child(self) -> str:
        """Return the number of the child that this thread is about to start."""
        self.interceptor.flush()
        self._thread.child = f"{self.interceptor.process}.{next(self.interceptor.child_numbers)}"
        return str(self._thread.child)

    def _enter_child(self) -> None:
        self.interceptor.enter_child(self._thread.child)

    def _close_at_exit(self) -> None:
        """Write the end of a child's ledger: children of `multiprocessing` run finalizers, not exit handlers."""
        multiprocessing.util.Finalize(None, self.close, exitpriority=-100)


class Entry:
    """Taps a spawned child by being unpickled there, before anything of the user's is."""

    def __init__(self, process: str, interceptor: Interceptor) -> None:
        """Describe the child that is about to be spawned."""
        arguments = (str(interceptor.folder), process, Base.prefix, interceptor.plan.to_json())
        package = str(Path(__file__).parents[2])
        self._program = ENTER.format(package=package, module=__name__, arguments=arguments)

    def __reduce__(self) -> tuple[Any, ...]:
        """Have the child call `enter_spawned`, by a function that it has even if it cannot import us."""
        return exec, (self._program,)


def enter_spawned(folder: str, process: str, base: str, plan: dict[str, Any]) -> None:
    """Tap a spawned child.

    Effects: as `Taps`; imports nothing that is not imported.
    """
    Base.prefix = base
    Taps(Path(folder), process, plan_from_json(plan))

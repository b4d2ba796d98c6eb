"""Put the taps into this process, and into those that it starts."""

from __future__ import annotations

import atexit
import multiprocessing.spawn
import multiprocessing.util
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import wrapt

from reproof.entropy.interception import Interceptor
from reproof.entropy.plan import Plan, plan_from_json
from reproof.entropy.races import channels, completion, pools, queues, signals, thread_events, turns
from reproof.entropy.replacing import replace_function
from reproof.entropy.rewriting.modules import Modules
from reproof.entropy.rewriting.orders import OrderKeeper
from reproof.entropy.sites import Base
from reproof.entropy.sources import (
    clocks,
    file_times,
    files,
    listings,
    outside,
    programs,
    randomness,
    states,
    surroundings,
)
from reproof.entropy.sources.draws import DrawWatcher
from reproof.entropy.sources.generators import Generators, NumpyGenerator, PythonGenerator, TorchGenerator
from reproof.entropy.sources.loaders import tap_loaders

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, ModuleType


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
        self.generators.add(PythonGenerator())
        for room in (
            clocks,
            surroundings,
            listings,
            channels,
            files,
            outside,
            file_times,
            thread_events,
            programs,
            signals,
            turns,
        ):
            room.install(self.interceptor)
        workers = queues.Workers()
        workers.install()
        completion.install(self.interceptor, workers)
        queues.install(self.interceptor, workers)
        pools.install(self.interceptor, self.generators)
        wrapt.when_imported("asyncio")(self._tap_asyncio)
        wrapt.when_imported("multiprocessing.managers")(self._tap_managers)
        wrapt.when_imported("multiprocessing.sharedctypes")(self._tap_shared_values)
        randomness.install(self.interceptor, self.generators)
        states.install(self.interceptor, self.generators)
        wrapt.when_imported("numpy.random")(self._tap_numpy)
        wrapt.when_imported("torch")(self._tap_torch)
        self._follow_children()
        self._modules = Modules(self.interceptor)
        self._modules.install()
        if plan.watches_orders:
            OrderKeeper(self.interceptor).install()
        if plan.watches:
            self._watcher = DrawWatcher(self.interceptor, self.generators)
            self._watcher.start()

    @property
    def problem(self) -> str | None:
        """Why the ledger is not whole, or None."""
        return "; ".join(self.interceptor.ledger.problems) or None

    def recompile(self, code: CodeType) -> CodeType:
        """Return the code of the script, compiled anew if some of its calls have to pass through us."""
        return self._modules.recompile(code)

    def begin_step(self, step: int) -> None:
        """Note that a step of the training begins."""
        self.interceptor.ledger.begin_step(step)

    def close(self) -> None:
        """Write what is left and close the ledger."""
        self.generators.close()
        self.interceptor.ledger.flush()
        self.interceptor.ledger.close()

    def _tap_numpy(self, module: ModuleType) -> None:
        self.generators.add(NumpyGenerator(module))
        randomness.tap_numpy(self.interceptor, self.generators, module)
        states.tap_numpy_state(self.interceptor, self.generators, module)

    def _tap_torch(self, module: ModuleType) -> None:
        self.generators.add(TorchGenerator(module))
        randomness.tap_torch(self.interceptor, self.generators, module)
        states.tap_torch_state(self.interceptor, self.generators, module)
        tap_loaders(self.interceptor, module)

    def _tap_asyncio(self, _: ModuleType) -> None:
        from reproof.entropy.races import event_loops  # imports what few scripts use

        event_loops.install(self.interceptor)

    def _tap_managers(self, module: ModuleType) -> None:
        from reproof.entropy.races import managers  # as above

        managers.install(self.interceptor, module)

    def _tap_shared_values(self, module: ModuleType) -> None:
        from reproof.entropy.races import shared_values  # as above

        shared_values.install(self.interceptor, module)

    def _follow_children(self) -> None:
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
        """Give the child that this thread is about to make its number."""
        self.interceptor.flush()
        self._thread.child = f"{self.interceptor.process}.{next(self.interceptor.child_numbers)}"
        return str(self._thread.child)

    def _enter_child(self) -> None:
        self.interceptor.enter_child(self._thread.child)

    def _close_at_exit(self) -> None:
        """Write the end of a child's ledger: children of `multiprocessing` run finalizers, not exit handlers."""
        multiprocessing.util.Finalize(None, self.close, exitpriority=-100)


class Entry:
    """What a spawned child unpickles before anything of the user's: the taps go in by that."""

    def __init__(self, process: str, interceptor: Interceptor) -> None:
        """Describe the child to be."""
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

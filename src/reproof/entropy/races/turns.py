"""Threads: note who starts them, and have them take turns in experiments.

A training whose threads race cannot be replayed: what decides is which thread is at which instruction when. It can be
*pinned*: one thread runs at a time, the one that was made first, until it ends or waits for another. Two runs in which
threads take turns are identical if nothing else differs; if two that do not take turns are not, the race is the cause.

Waiting is seen where Python's own tools wait (`Condition`, and with it `Event`, `Barrier`, `Semaphore`, `Queue`;
`Thread.join`; event loops); who sleeps lets the next one go on. A thread that holds its turn for long without that is
passed over: the turns are then not kept, and the experiment tells nothing. Processes run to their end one by one.
"""

from __future__ import annotations

import concurrent.futures
import multiprocessing.pool
import multiprocessing.process
import queue
import selectors
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from reproof.entropy.interception import leave_own, package_of
from reproof.entropy.replacing import replace_function
from reproof.entropy.sites import OURS, PYTHON, USER, owner_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType, ModuleType

    from reproof.entropy.interception import Interceptor

TURN_SECONDS: Final = 20.0
"""How long a thread waits for its turn."""

PROCESS_SECONDS: Final = 5.0
"""How long a process that was started has for itself: one that waits for its parent gets no further alone."""

MANAGERS: Final = ("concurrent.futures.process", "loky.process_executor")
"""How the modules end whose threads hand the tasks of an executor of processes on."""

STARTERS: Final = "torch.multiprocessing"
"""Modules that start processes for the user."""


def install(interceptor: Interceptor) -> None:
    """Note the threads and processes that the user's code starts; have them take turns if the plan says so.

    Effects: replaces `Thread.start` and `Process.start`; with turns, other methods of `threading`, and the number of
        workers of pools.
    """
    start = threading.Thread.start

    def start_tapped(self: threading.Thread) -> None:
        frame = leave_own(sys._getframe(1))  # noqa: SLF001  # the documented way to the stack
        owner = OURS if frame is None else owner_of(frame.f_code.co_filename)
        if owner == USER or (frame is not None and owner == PYTHON and is_worker(self, frame)):
            place = interceptor.place_of("threading.Thread", "concurrency", frame)
            if place is not None:
                place.note(1)
        start(self)

    replace_function(threading.Thread, "start", start_tapped)
    tap_processes(interceptor)
    if interceptor.plan.serializes:
        Turns().install()
        make_pools_single()


def is_worker(thread: threading.Thread, frame: FrameType) -> bool:
    """Whether a thread that is started there does the tasks of a pool."""
    return package_of(frame) == "concurrent" or type(thread).__module__ == "multiprocessing.dummy"


def is_of_pool(thread: Any) -> bool:
    """Whether a thread hands the tasks and results of processes or threads on: it waits where we do not see it."""
    module = getattr(getattr(thread, "_target", None), "__module__", None)
    is_handler = module == multiprocessing.pool.__name__ and type(thread) is threading.Thread
    return is_handler or type(thread).__module__.endswith(MANAGERS)


def tap_processes(interceptor: Interceptor) -> None:
    """Note the processes that the user's code starts; with turns, each runs to its end before the next one starts."""
    kind: Any = multiprocessing.process.BaseProcess
    start = kind.start

    def start_tapped(self: Any) -> None:
        frame = leave_own(sys._getframe(1))  # noqa: SLF001  # the documented way to the stack
        place = None
        if frame is not None and (
            interceptor.is_user(frame) or str(frame.f_globals.get("__name__", "")).startswith(STARTERS)
        ):
            place = interceptor.place_of("multiprocessing.Process", "concurrency", frame)
        if place is not None:
            place.note(1)
        start(self)
        if place is not None and interceptor.plan.serializes:
            self.join(PROCESS_SECONDS)

    replace_function(kind, "start", start_tapped)


def make_pools_single() -> None:
    """Give every pool of threads or processes one worker: tasks are then done in the order in which they came."""
    thread_init = concurrent.futures.ThreadPoolExecutor.__init__
    process_init = concurrent.futures.ProcessPoolExecutor.__init__
    pool_init = multiprocessing.pool.Pool.__init__

    def init_threads(self: Any, max_workers: Any = None, *args: Any, **kwargs: Any) -> None:
        del max_workers
        thread_init(self, 1, *args, **kwargs)

    def init_processes(self: Any, max_workers: Any = None, *args: Any, **kwargs: Any) -> None:
        del max_workers
        process_init(self, 1, *args, **kwargs)

    def init_pool(self: Any, processes: Any = None, *args: Any, **kwargs: Any) -> None:
        del processes
        pool_init(self, 1, *args, **kwargs)

    replace_function(concurrent.futures.ThreadPoolExecutor, "__init__", init_threads)
    replace_function(concurrent.futures.ProcessPoolExecutor, "__init__", init_processes)
    replace_function(multiprocessing.pool.Pool, "__init__", init_pool)


def tap_loky(interceptor: Interceptor, module: ModuleType) -> None:
    """Give the executors of loky one worker, if threads and processes take turns.

    Effects: replaces `ProcessPoolExecutor.__init__` of that module.
    """
    if not interceptor.plan.serializes:
        return
    kind: Any = vars(module)["ProcessPoolExecutor"]
    init = kind.__init__

    def init_single(self: Any, max_workers: Any = None, *args: Any, **kwargs: Any) -> None:
        del max_workers
        init(self, 1, *args, **kwargs)

    replace_function(kind, "__init__", init_single)


def tap_reusable(interceptor: Interceptor, module: ModuleType) -> None:
    """Keep an executor of loky that is used again at one worker, if threads and processes take turns.

    Effects: replaces `_ReusablePoolExecutor._resize` of that module.
    """
    if interceptor.plan.serializes:
        replace_function(vars(module)["_ReusablePoolExecutor"], "_resize", lambda _self, _max_workers: None)


class Turns:
    """Whose turn it is, among the threads that were started since."""

    def __init__(self) -> None:
        """Begin with the turn at this thread."""
        self._lock = threading.Lock()
        self._main = threading.get_ident()
        self._numbers: dict[int, int] = {self._main: 0}
        self._ready: dict[int, Any] = {}
        self._holder: int | None = 0
        self._num_threads = 0
        self._waiting: dict[int, list[int]] = {}
        self._joining: dict[int, list[int]] = {}

    def install(self) -> None:
        """Have threads take turns from now on.

        Effects: replaces methods of `Thread` and `Condition`, and `time.sleep`.
        """
        self._install_threads()
        self._install_conditions()
        self._install_selectors()
        # What is written in C waits unseen, and would keep its turn; the pools of `concurrent.futures` wait in it.
        queue.SimpleQueue = queue._PySimpleQueue  # type: ignore[attr-defined,misc]  # noqa: SLF001

    def _install_threads(self) -> None:
        kind: Any = threading.Thread
        run, start, join = kind._bootstrap_inner, kind.start, kind.join  # noqa: SLF001  # where a thread runs, all of it
        sleep = time.sleep

        def start_numbered(thread: Any) -> None:
            if self._is_ours() and not is_of_pool(thread):
                self._num_threads += 1
                thread.__dict__["_reproof_number"] = self._num_threads
                self._announce(self._num_threads)
            start(thread)

        def run_in_turn(thread: Any) -> None:
            number = thread.__dict__.get("_reproof_number")
            if number is None:
                run(thread)
                return
            self._numbers[threading.get_ident()] = number
            self._take(number)
            try:
                run(thread)
            finally:
                self._numbers.pop(threading.get_ident(), None)
                for waiting in self._joining.pop(number, []):
                    self._announce(waiting)
                self._pass_on(number)

        def join_in_turn(thread: Any, timeout: float | None = None) -> None:
            own, number = self._own_number(), thread.__dict__.get("_reproof_number")
            if own is None or number is None or not thread.is_alive() or timeout is not None:
                join(thread, timeout)
                return
            self._joining.setdefault(number, []).append(own)
            self._pass_on(own)
            join(thread)
            self._take(own)

        def sleep_in_turn(seconds: float) -> None:
            own = self._own_number()
            if own is None or not self._yield_turn(own):
                sleep(seconds)

        replace_function(kind, "_bootstrap_inner", run_in_turn)
        replace_function(kind, "start", start_numbered)
        replace_function(kind, "join", join_in_turn)
        replace_function(time, "sleep", sleep_in_turn)

    def _install_conditions(self) -> None:
        wait, notify = threading.Condition.wait, threading.Condition.notify

        def wait_in_turn(condition: Any, timeout: float | None = None) -> bool:
            number = self._own_number()
            if number is None:
                return wait(condition, timeout)
            queue = self._waiting.setdefault(id(condition), [])
            queue.append(number)
            self._pass_on(number)
            try:
                return wait(condition, timeout)
            finally:
                if number in queue:
                    queue.remove(number)
                # The lock of the condition is ours again: without it the one whose turn it is could wait for it.
                condition.release()
                self._announce(number)
                self._take(number)
                condition.acquire()

        def notify_in_turn(condition: Any, n: int = 1) -> None:
            queue = self._waiting.get(id(condition), [])
            for number in queue[:n]:
                self._announce(number)  # they can go on: nobody after them may overtake
            del queue[:n]
            notify(condition, n)

        replace_function(threading.Condition, "wait", wait_in_turn)
        replace_function(threading.Condition, "notify", notify_in_turn)

    def _install_selectors(self) -> None:
        """Have event loops let other threads go on while they wait."""
        for name in ("SelectSelector", "PollSelector", "EpollSelector", "DevpollSelector", "KqueueSelector"):
            kind = getattr(selectors, name, None)
            if kind is not None and "select" in vars(kind):
                replace_function(kind, "select", self._give_turn_during(kind.select))

    def _give_turn_during(self, wait: Callable[..., Any]) -> Callable[..., Any]:
        def wait_in_turn(*args: Any, **kwargs: Any) -> Any:
            number = self._own_number()
            if number is None:
                return wait(*args, **kwargs)
            self._pass_on(number)
            try:
                return wait(*args, **kwargs)
            finally:
                self._announce(number)
                self._take(number)

        return wait_in_turn

    def _own_number(self) -> int | None:
        return self._numbers.get(threading.get_ident())

    def _is_ours(self) -> bool:
        return self._own_number() is not None

    def _announce(self, number: int) -> None:
        """Note that a thread can go on as soon as it is its turn."""
        with self._lock:
            if number not in self._ready and number != self._holder:
                gate = threading.Lock()
                gate.acquire()
                self._ready[number] = gate
                if self._holder is None:
                    self._choose()

    def _take(self, number: int) -> None:
        """Wait until it is the turn of this thread."""
        with self._lock:
            if self._holder == number:
                return
            gate = self._ready.get(number)
        if gate is None:
            self._announce(number)
            gate = self._ready.get(number)
        if gate is not None:
            gate.acquire(timeout=TURN_SECONDS)

    def _pass_on(self, number: int) -> None:
        """End the turn of this thread."""
        with self._lock:
            if self._holder == number:
                self._choose()

    def _yield_turn(self, number: int) -> bool:
        """Let the next thread go on, if one can, and wait for the next turn; return whether one could."""
        with self._lock:
            if self._holder != number or not self._ready:
                return False
            following = min(self._ready, key=lambda other: (other < number, other))
            gate = self._ready[number] = threading.Lock()
            gate.acquire()
            self._holder = following
            self._ready.pop(following).release()
        gate.acquire(timeout=TURN_SECONDS)
        return True

    def _choose(self) -> None:
        """Give the turn to the thread that was made first, of those that can go on; the lock is held."""
        self._holder = min(self._ready, default=None)
        if self._holder is not None:
            self._ready.pop(self._holder).release()

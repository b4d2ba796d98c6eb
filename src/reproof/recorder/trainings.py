"""Keep apart what several threads train at the same time: each has steps of its own, and names of its own.

How their steps interleave is another in each run and tells nothing. So what a thread trains, other than the one in
which the recording began, is put in place as a whole: when the thread has been joined, when the result of its task in a
pool has been asked for, or at the end. While the training waits in ``join`` for one thread alone, that one goes on in
the trace itself. Tasks of pools that are waited for together are sorted by content, but for those that were handed in
after others had been waited for.

Models, optimizers and loaders are numbered by each training for itself.
"""

from __future__ import annotations

import concurrent.futures.thread
import threading
import weakref
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from reproof.recorder.frames import Branch, FrameBuilder
    from reproof.recorder.registry import Registry
    from reproof.recorder.state import StateRecorder


class ThreadState(threading.local):
    """What each thread of the training is in the middle of.

    Attributes:
        is_owner: Whether the recording began in it, or it is the main thread.
        is_in_model: Whether the thread is in the call of a model.
        is_in_backward: Whether it is in `torch.autograd.backward` or `torch.autograd.grad`.
        is_beside: Whether it is not known to train: what it records is kept apart (`background`).
        training: What the thread trains by itself; None if it is the training of the recording.
        num_loaders: Loaders that the thread has made, if it is none of those in which the recording began.
    """

    is_in_model = False
    is_in_backward = False
    training: Training | None = None
    num_loaders = 0

    def __init__(self, owner: int) -> None:
        """Set the state of a thread that is met for the first time.

        `owner` is the identifier of the thread in which the recording began.
        """
        self.is_owner = threading.get_ident() in {owner, threading.main_thread().ident}
        self.is_beside = not self.is_owner


class ByHand(Protocol):
    """Steps of a training without any optimizer, as `by_hand` records them."""

    awaits_update: bool

    def before_backward(self, tensors: Any) -> None:
        """See the loss."""

    def after_backward(self) -> None:
        """See the gradients."""

    def finish(self) -> None:
        """End the step under way, if there is one."""

    def list_leaves(self) -> list[tuple[str, Any]]:
        """Return the tensors that are trained without a module, with their names."""


class Training:
    """One training of a process.

    Attributes:
        registry: Names of its models.
        state: Records what its models and optimizers hold.
        by_hand: Its steps without any optimizer.
        has_loader: Whether a loader has delivered a batch: the inputs of models are then no batches of their own.
        branch: What it has recorded, if that is kept apart.
        thread: The thread that trains; None for the training of the recording itself.
    """

    state: StateRecorder
    by_hand: ByHand

    def __init__(self, registry: Registry) -> None:
        """Start without models; `state` and `by_hand` are to be set."""
        self.registry = registry
        self.has_loader = False
        self.branch: Branch | None = None
        self.thread: threading.Thread | None = None


class Trainings:
    """All trainings of a process.

    Attributes:
        main: That of the threads in which the recording began.
        every: All of them, the main one first.
        unfinished: Those that went on when the recording ended, without anybody having waited for them.
        make: Makes another one; set by whoever knows the hooks.
    """

    def __init__(
        self, main: Training, frames: FrameBuilder, thread: ThreadState, on_problem: Callable[[str], None]
    ) -> None:
        """Start with the main one alone. `on_problem` is called with the text of a problem."""
        self.main = main
        self.every = [main]
        self.unfinished: list[Training] = []
        self.make: Callable[[], Training] | None = None
        self._frames = frames
        self._thread = thread
        self._on_problem = on_problem
        self._lock = threading.Lock()
        self._open: list[Training] = []
        self._followed: set[threading.Thread] = set()
        self._of_tasks: weakref.WeakKeyDictionary[Future[Any], list[Training]] = weakref.WeakKeyDictionary()
        self._generations: weakref.WeakKeyDictionary[Future[Any], int] = weakref.WeakKeyDictionary()
        self._generation = 0
        self._task = threading.local()

    def begin(self) -> None:
        """Keep apart from now on what the current thread trains, unless it is one in which the recording began."""
        if self._thread.is_owner or self.make is None:
            return
        thread = threading.current_thread()
        training = self.make()
        training.thread = thread
        told = (
            f"not recorded: what thread {thread.name} has trained, which was too much to keep until it was waited for"
        )
        training.branch = self._frames.branch(lambda: self._on_problem(told))
        self._thread.training = training
        future = getattr(self._task, "future", None)
        with self._lock:
            self.every.append(training)
            self._open.append(training)
            if future is not None:
                training.branch.generation = self._generations.get(future, 0)
                self._of_tasks.setdefault(future, []).append(training)
        if thread in self._followed:
            self._follow(thread)

    def order_task(self, future: Future[Any]) -> None:
        """Note that a task is handed in to a pool."""
        self._generations[future] = self._generation

    def begin_task(self, future: Future[Any]) -> None:
        """Note that the current thread of a pool works for a result from now on."""
        self._task.future = future

    def end_task(self) -> None:
        """Note that the task of the current thread of a pool is over: what it trains next is another training."""
        self._task.future = None
        self._thread.num_loaders = 0
        if self._thread.training is not None:
            self._thread.training = None
            self._thread.is_beside = True
            self._frames.release()

    def follow(self, thread: threading.Thread) -> None:
        """Have a thread go on in the trace itself, for which the current one is about to wait."""
        if not is_in_pool(thread) and not self._frames.is_apart:
            self._followed.add(thread)
            self._follow(thread)

    def _follow(self, thread: threading.Thread) -> None:
        for training in self._take(lambda one: one.thread is thread):
            if training.branch is not None:
                self._frames.take(training.branch)

    def place_ended(self, thread: threading.Thread) -> None:
        """Put in place what a thread has trained that was joined; those of a pool wait for each other."""
        self._followed.discard(thread)
        if self._open and not thread.is_alive():
            for training in self._take(lambda one: one.thread is thread):
                self._finish(training)
                if is_in_pool(thread):
                    self._place_later(training)
                else:
                    self._place(training)

    def place_result(self, future: Future[Any]) -> None:
        """Put in place what a task has trained whose result the current thread has asked for, with others like it."""
        if self._open and future in self._of_tasks:
            wanted = self._of_tasks.pop(future)
            for training in self._take(lambda one: one in wanted):
                self._finish(training)
                self._place_later(training)
            self._generation += 1

    def place_rest(self) -> None:
        """Put in place what threads have trained that have ended; say which go on."""
        rest = self._take(lambda _: True)
        for training in rest:
            thread = training.thread
            if thread is not None and thread.is_alive() and not is_in_pool(thread):
                self.unfinished.append(training)
                self._on_problem(f"thread {thread.name} trained when the recording ended, and nobody had waited for it")
            else:
                self._finish(training)
                self._place_later(training)

    def _take(self, is_wanted: Callable[[Training], bool]) -> list[Training]:
        with self._lock:
            taken = [training for training in self._open if is_wanted(training)]
            self._open = [training for training in self._open if training not in taken]
        return taken

    def _place(self, training: Training) -> None:
        if training.branch is not None:
            self._frames.place(training.branch)

    def _place_later(self, training: Training) -> None:
        if training.branch is not None:
            self._frames.place_later(training.branch)

    def _finish(self, training: Training) -> None:
        """End the last step of a training by hand, whichever thread is asked to."""
        held, self._thread.training = self._thread.training, training
        try:
            with self._frames.within(training.branch):
                training.by_hand.finish()
        finally:
            self._thread.training = held


def is_in_pool(thread: threading.Thread) -> bool:
    """Whether a thread belongs to a pool: which of its threads does a piece of work is chance."""
    return (
        thread in concurrent.futures.thread._threads_queues  # noqa: SLF001  # no public list
        or type(thread).__module__ == "multiprocessing.dummy"
    )

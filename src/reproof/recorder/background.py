"""Keep apart what threads beside the training record, until somebody waits for them.

A thread that runs ahead with a loader, or evaluates a snapshot, goes at its own pace: which step of the training is
under way meanwhile is another in each run, and tells nothing. What such a thread records is put in place when the
model is given the batch, when the thread is joined, or at the end of the recording. What nobody has waited for until
then is no evidence: it is cut off wherever the program ends.

A thread trains, and records into the step under way, if the recording began in it or it is the main thread, and from
when on it makes an optimizer, calls a model with gradients or calls `backward()`.
"""

from __future__ import annotations

import threading
import weakref
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import torch

from reproof.recorder.evidence import walk
from reproof.recorder.trainings import is_in_pool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reproof.recorder.frames import Entry, FrameBuilder

MAX_PIECES: Final = 50_000
"""Model calls and batches that are kept of one thread; if it records more, none of them is kept."""

MAX_TENSORS: Final = 1024
"""Tensors of batches that are remembered until a model is given them. A thread that prefetches is ahead by a few."""


class Piece:
    """The events of one call of a model, or of one batch."""

    __slots__ = ("entries", "name")

    def __init__(self, name: str) -> None:
        """Start without events; `name` is that of the model or loader."""
        self.name = name
        self.entries: list[Entry] = []

    @property
    def order(self) -> tuple[str, list[bytes]]:
        """Key that sorts pieces by content, because which thread of a pool was faster is chance."""
        return self.name, [digest for _, digest, _ in self.entries]


class Background:
    """The pieces that are not part of a frame yet."""

    def __init__(self, frames: FrameBuilder, on_problem: Callable[[str], None]) -> None:
        """Start without pieces. `on_problem` is called with the text of a problem."""
        self._frames = frames
        self._on_problem = on_problem
        self._lock = threading.Lock()
        self._pieces: dict[threading.Thread, list[Piece]] = {}
        self._full: set[threading.Thread] = set()
        self._by_tensor: dict[int, tuple[weakref.ref[torch.Tensor], threading.Thread, Piece]] = {}

    @contextmanager
    def apart(self, name: str, batch: Any = None) -> Iterator[None]:
        """Keep what the current thread records within the context as one piece.

        The name is of a model or loader. Once a model is given the `batch` that a loader delivers, the training has
        waited for it.
        """
        piece = Piece(name)
        with self._frames.divert(piece.entries):
            yield
        if piece.entries:
            self._keep(threading.current_thread(), piece, batch)

    def _keep(self, thread: threading.Thread, piece: Piece, batch: Any) -> None:
        with self._lock:
            pieces = self._pieces.setdefault(thread, [])
            if thread in self._full or len(pieces) >= MAX_PIECES:
                self._full.add(thread)
                pieces.clear()
                return
            pieces.append(piece)
            for leaf in find_tensors(batch):
                self._by_tensor[id(leaf)] = (weakref.ref(leaf), thread, piece)
            while len(self._by_tensor) > MAX_TENSORS:
                del self._by_tensor[next(iter(self._by_tensor))]

    def place_batches(self, inputs: Any) -> None:
        """Put the batches among the inputs of a model in place."""
        if not self._by_tensor:
            return
        for leaf in find_tensors(inputs):
            known = self._by_tensor.pop(id(leaf), None)
            if known is not None and known[0]() is leaf:
                self._take(known[1], known[2])

    def place_ended(self, thread: threading.Thread) -> None:
        """Put in place what a thread has recorded that was joined; a thread of a pool waits for the others."""
        if thread in self._pieces and not thread.is_alive() and not is_in_pool(thread):
            self._place(thread)

    def place_own(self) -> None:
        """Put in place what the current thread has recorded before it began to train."""
        if threading.current_thread() in self._pieces:
            self._place(threading.current_thread())

    def place_rest(self) -> None:
        """Put in place what threads have recorded that have ended or belong to a pool."""
        threads = [thread for thread in list(self._pieces) if is_in_pool(thread) or not thread.is_alive()]
        if threads:
            self._place(*threads, is_sorted=True)

    def _place(self, *threads: threading.Thread, is_sorted: bool = False) -> None:
        if not self._full.isdisjoint(threads):
            self._on_problem(f"not recorded: a thread beside the training, which did more than {MAX_PIECES} things")
        placed = [(thread, piece) for thread in threads for piece in list(self._pieces[thread])]
        if is_sorted:
            placed.sort(key=lambda item: item[1].order)
        for thread, piece in placed:
            self._take(thread, piece)

    def _take(self, thread: threading.Thread, piece: Piece) -> None:
        """Move a piece into the current frame, unless it is there already."""
        with self._lock:
            waiting = self._pieces.get(thread, [])
            if piece not in waiting:
                return
            waiting.remove(piece)
        for entry in piece.entries:
            self._frames.add(*entry)


def find_tensors(value: Any) -> list[torch.Tensor]:
    """Return the tensors in any nesting."""
    return [leaf for _, leaf in walk(value, "", 0) if isinstance(leaf, torch.Tensor)]

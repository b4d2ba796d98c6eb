"""See every batch that a `torch.utils.data.DataLoader` hands to the training loop, and the indices drawn for it.

`_BaseDataLoaderIter.__next__` is what every loop, framework and wrapper ends in. Its indices are drawn earlier when
workers prefetch, so they are remembered under the number of their task and taken when that task's batch arrives.
Read from the source of PyTorch 2.13, torch/utils/data/dataloader.py.
"""

from __future__ import annotations

import itertools
import time
import weakref
from typing import TYPE_CHECKING, Any, Final

from torch.utils.data import DataLoader
from torch.utils.data.dataloader import _BaseDataLoaderIter, _DatasetKind

from reproof.recorder.batches import BatchRecorder
from reproof.recorder.parallel import holds_order

if TYPE_CHECKING:
    from collections.abc import Callable

    from reproof.recorder.context import Context
    from reproof.recorder.models import ModelHooks


MIN_EXPLAINED: Final = 256
"""Batches of each loader whose numbers are kept in any case."""

MIN_INTERVAL_SECONDS: Final = 0.004
"""If batches are further apart than this, the numbers of all are kept: those of 64 samples cost some 30 us."""


class LoaderState:
    """What is known of one loader.

    Attributes:
        number: 0-based, in the order of creation.
        name: Name of its events, once it is iterated.
        recorder: Records its batches, once there are any.
        num_batches: Batches seen so far.
        epoch: What the sampler was told of the epoch, of one that shuffles by that alone; None before the first.
    """

    def __init__(self, number: int) -> None:
        """Start with no batch seen."""
        self.number = number
        self.name: str | None = None
        self.recorder: BatchRecorder | None = None
        self.num_batches = 0
        self._last_batch_seconds = 0.0
        self.epoch: int | None = None

    def affords_numbers(self) -> bool:
        """Whether indices, labels and sample fingerprints cost little compared with what happens between two batches.

        They are kept of the first batches in any case. They only explain a difference, which digests find, so it does
        no harm if one of two runs lacks some.
        """
        now = time.perf_counter()
        interval, self._last_batch_seconds = now - self._last_batch_seconds, now
        return self.num_batches <= MIN_EXPLAINED or interval > MIN_INTERVAL_SECONDS


class IteratorState:
    """What is known of one iterator, kept on the iterator itself: its loader, and the indices drawn ahead."""

    __slots__ = ("drawn", "loader")

    def __init__(self, loader: LoaderState, *, draws: bool) -> None:
        """Start with no indices; `draws` tells whether the loader draws any."""
        self.loader = loader
        self.drawn: dict[int, Any] | None = {} if draws else None


class LoaderHooks:
    """The hooks on data loaders of one recording."""

    def __init__(self, context: Context, models: ModelHooks) -> None:
        """Hook all data loaders, those that exist and those to come."""
        self._context = context
        self._models = models
        self._numbers = itertools.count()
        self._loaders: weakref.WeakKeyDictionary[Any, LoaderState] = weakref.WeakKeyDictionary()
        self._attribute = f"_reproof_{id(self)}"
        patches = context.patches
        patches.replace(DataLoader, "__init__", self._wrap_loader_init)
        patches.replace(_BaseDataLoaderIter, "__init__", self._wrap_iterator_init)
        patches.replace(_BaseDataLoaderIter, "_next_index", self._wrap_next_index)
        patches.replace(_BaseDataLoaderIter, "__next__", self._wrap_next)

    def _wrap_loader_init(self, original: Callable[..., None]) -> Callable[..., None]:
        def init(loader: Any, *args: Any, **kwargs: Any) -> None:
            original(loader, *args, **kwargs)
            if self._context.is_active:
                with self._context.problems.guard("loader"):
                    if loader not in self._loaders:
                        self._loaders[loader] = LoaderState(self._next_number())

        return init

    def _wrap_iterator_init(self, original: Callable[..., None]) -> Callable[..., None]:
        def init(iterator: Any, loader: Any, *args: Any, **kwargs: Any) -> None:
            if self._context.is_active:
                # Before the original: a multiprocessing iterator draws its first indices while it is made.
                with self._context.problems.guard("loader"):
                    state = self._state_of(loader)
                    if loader.generator is not None:
                        self._context.rng.note_loader(state.number, loader.generator)
                    setattr(iterator, self._attribute, IteratorState(state, draws=draws_indices(loader)))
                    self._note_epoch(state, loader)
            original(iterator, loader, *args, **kwargs)

        return init

    def _wrap_next_index(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def next_index(iterator: Any) -> Any:
            index = original(iterator)
            own: IteratorState | None = getattr(iterator, self._attribute, None)
            if own is not None and own.drawn is not None:
                drawn = own.drawn
                number = getattr(iterator, "_send_idx", 0)
                if number == 0:
                    drawn.clear()  # persistent workers begin an epoch anew, even if the last one was left early
                drawn[number] = index
            return index

        return next_index

    def _wrap_next(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def next_batch(iterator: Any) -> Any:
            try:
                batch = original(iterator)
            except BaseException:
                with self._context.problems.guard("batch"):
                    self._forget_failed(iterator)
                raise
            if self._context.is_active:
                try:
                    self._record(iterator, batch)
                except Exception as error:  # noqa: BLE001  # not `guard`, which takes a microsecond in each step
                    self._context.problems.add_error("batch", error)
            return batch

        return next_batch

    def _next_number(self) -> int:
        """Return the number of another loader: threads count their own, as which of them is faster is chance."""
        thread = self._context.thread
        if thread.is_owner:
            return next(self._numbers)
        thread.num_loaders += 1
        return thread.num_loaders - 1

    def _state_of(self, loader: Any) -> LoaderState:
        state = self._loaders.get(loader)
        if state is None:  # made before the recording began: numbered when first used
            state = self._loaders[loader] = LoaderState(self._next_number())
        if state.name is None:
            state.name = f"loader{state.number}({size_of(loader)})"
        return state

    def _note_epoch(self, state: LoaderState, loader: Any) -> None:
        """Remark that an epoch begins in the order of the one before, as nobody has told the sampler of it."""
        sampler = holds_order(loader)
        if sampler is None:
            return
        if state.num_batches and state.epoch == sampler.epoch:
            told = f"{state.name}: every epoch in the same order: call sampler.set_epoch(epoch) before each"
            self._context.remarks += [] if told in self._context.remarks else [told]
        state.epoch = sampler.epoch

    def _record(self, iterator: Any, batch: Any) -> None:
        own: IteratorState | None = getattr(iterator, self._attribute, None)
        if own is None:  # the iterator was made before the recording began
            own = IteratorState(LoaderState(self._next_number()), draws=False)
            own.loader.name = f"loader{own.loader.number}(iterator)"
            setattr(iterator, self._attribute, own)
        if self._context.thread.is_beside:  # the training gets the batch later, if it is one of its own
            with self._context.background.apart(str(own.loader.name), batch):
                self._record_batch(iterator, own, batch)
            return
        training = self._context.training
        if not training.has_loader or training.by_hand.awaits_update:
            self._note_batch()
        self._record_batch(iterator, own, batch)

    def _note_batch(self) -> None:
        """Note that a loader delivers batches, and that a training by hand goes on to the next one."""
        training = self._context.training
        if not training.has_loader:
            training.has_loader = True
            if not self._context.records("steps"):
                self._models.remove()
        if self._context.records("steps"):
            training.by_hand.finish()

    def _record_batch(self, iterator: Any, own: IteratorState, batch: Any) -> None:
        state = own.loader
        state.num_batches += 1
        indices = take_indices(iterator, own.drawn) if own.drawn is not None else None
        limit = self._context.num_batches
        if limit is not None and state.num_batches > limit:
            return
        if state.recorder is None:
            state.recorder = BatchRecorder(self._context.evidence, str(state.name))
        state.recorder.record(indices, batch, keep_numbers=state.affords_numbers())

    def _forget_failed(self, iterator: Any) -> None:
        """Forget the indices of a batch that raised: a training may go on with the next one."""
        own: IteratorState | None = getattr(iterator, self._attribute, None)
        drawn = None if own is None else own.drawn
        if drawn:
            waiting = getattr(iterator, "_task_info", {})
            for number in [number for number in drawn if number not in waiting]:
                del drawn[number]


def take_indices(iterator: Any, drawn: dict[int, Any]) -> Any:
    """Take the indices of the batch that has just been returned.

    With workers, the task that is no longer listed in `_task_info` is the one whose batch was returned: the rule
    holds for batches in order and out of order (`in_order=False`).
    """
    tasks = getattr(iterator, "_task_info", None)
    if tasks is None:
        return drawn.pop(0, None)
    done = next((number for number in drawn if number not in tasks), None)
    return None if done is None else drawn.pop(done)


def draws_indices(loader: Any) -> bool:
    """Whether the loader draws indices for its batches."""
    return not takes_all_samples_as_they_come(loader)


def takes_all_samples_as_they_come(loader: Any) -> bool:
    """Whether the loader has an iterable data set: then it draws no indices, and order is part of the content."""
    return bool(loader._dataset_kind == _DatasetKind.Iterable)  # noqa: SLF001


def size_of(loader: Any) -> str:
    """Return the number of samples, or ``iterable``."""
    if takes_all_samples_as_they_come(loader):
        return "iterable"
    try:
        return str(len(loader.dataset))
    except (TypeError, NotImplementedError):
        return "unsized"

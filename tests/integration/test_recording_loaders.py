"""Batches of data loaders: each with the indices that were drawn for it, and each loader told from the others.

Most data sets here return their own index, so that a batch tells which indices belong to it.
"""

from __future__ import annotations

import itertools
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch.utils.data import BatchSampler, DataLoader, Dataset, IterableDataset, RandomSampler, TensorDataset

import reproof

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.integration.conftest import Events

pytestmark = [
    # Both are PyTorch's and Python's word on the machine or on fork, not on what is tested.
    pytest.mark.filterwarnings("ignore:This DataLoader will create"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning"),
]

FORK = {"num_workers": 2, "multiprocessing_context": "fork"}


class Indices(Dataset):
    """Samples that are their own index; some come late, one of them not at all."""

    def __init__(self, num_samples: int, *, late: int = -1, missing: int = -1) -> None:
        """Take a moment for the sample `late`, and have no sample `missing`."""
        self.num_samples = num_samples
        self.late = late
        self.missing = missing

    def __len__(self) -> int:
        """Return the number of samples."""
        return self.num_samples

    def __getitem__(self, index: int) -> int:
        """Return the index."""
        if index == self.late:
            time.sleep(0.2)
        if index == self.missing:
            raise ValueError("no such sample")
        return int(index)


class Stream(IterableDataset):
    """A sequence of numbers that knows no length."""

    def __iter__(self) -> Iterator[int]:
        """Count to seven."""
        return iter(range(7))


def tell_indices(events: Events) -> list[tuple[Any, Any]]:
    """Return for each batch the indices recorded as its order, and those that its content tells."""
    return [(order.exact, content.exact) for order, content in itertools.pairwise(events) if order.detail == "order"]


LOADERS = {
    "in sequence": lambda: DataLoader(Indices(10), batch_size=3),
    "shuffled": lambda: DataLoader(Indices(10), batch_size=3, shuffle=True),
    "dropping the last": lambda: DataLoader(Indices(10), 3, shuffle=True, drop_last=True),
    "a sampler": lambda: DataLoader(Indices(10), 2, sampler=RandomSampler(range(10), replacement=True, num_samples=7)),
    "a batch sampler": lambda: DataLoader(Indices(10), batch_sampler=BatchSampler([5, 3, 9], 2, drop_last=False)),
    "batches of several sizes": lambda: DataLoader(Indices(10), batch_sampler=[[1], (2, 3), range(4, 8)]),
    "tensors as indices": lambda: DataLoader(Indices(10), 2, sampler=torch.tensor([3, 1, 2])),
    "no batching": lambda: DataLoader(Indices(3), batch_size=None, collate_fn=torch.tensor),
    "workers": lambda: DataLoader(Indices(20, late=4), 2, shuffle=True, prefetch_factor=3, **FORK),
    "workers, out of order": lambda: DataLoader(Indices(12, late=0), 2, **FORK, in_order=False),
    "workers, no batching": lambda: DataLoader(Indices(5), None, **FORK, collate_fn=torch.tensor),
    "persistent workers": lambda: DataLoader(
        Indices(20, late=4), 2, prefetch_factor=3, **FORK, persistent_workers=True
    ),
}


@pytest.mark.parametrize("loader", LOADERS)
def test_each_batch_has_the_indices_that_were_drawn_for_it(
    loader: str, tmp_path: Path, read_events: Callable[[Path], Events]
) -> None:
    """Also where workers fetch ahead or out of order, and where an epoch is left early."""
    received = []
    with reproof.record(tmp_path / "run", level="batches"):
        batches = LOADERS[loader]()
        received += itertools.islice(batches, 4)
        received += batches
    told = tell_indices(read_events(tmp_path / "run"))
    assert [order for order, _ in told] == [content for _, content in told]
    assert [content for _, content in told] == [
        tuple(torch.as_tensor(batch).reshape(-1).tolist()) for batch in received
    ]


@pytest.mark.parametrize("options", [{}, FORK], ids=["no workers", "workers"])
def test_a_batch_that_fails_leaves_the_next_ones_right(
    options: dict[str, Any], tmp_path: Path, read_events: Callable[[Path], Events]
) -> None:
    """A training that skips a broken sample goes on with the right indices; the error reaches it unchanged."""
    with reproof.record(tmp_path / "run", level="batches"):
        batches = iter(DataLoader(Indices(10, missing=2), batch_size=2, **options))
        next(batches)
        with pytest.raises(ValueError, match="no such sample"):
            next(batches)
        assert len(list(batches)) == 3
    assert [order for order, _ in tell_indices(read_events(tmp_path / "run"))] == [(0, 1), (4, 5), (6, 7), (8, 9)]


def test_keys_that_are_no_numbers_are_an_order_too(tmp_path: Path, read_events: Callable[[Path], Events]) -> None:
    """A sampler may draw strings or tuples; another order of them is a difference of order."""
    data = {"a": 1, "b": 2, ("c", 3): 3}
    for name, keys in (("a", ["a", "b", ("c", 3)]), ("b", ["b", "a", ("c", 3)])):
        with reproof.record(tmp_path / name, level="batches"):
            list(DataLoader(data, batch_size=1, sampler=keys))
    assert len(read_events(tmp_path / "a").orders()) == 3
    first = reproof.compare(tmp_path / "a", tmp_path / "b").first
    assert first is not None
    assert (first.step, first.detail, first.name) == (0, "order", "loader0(3) indices")


@pytest.mark.parametrize("options", [{}, FORK], ids=["no workers", "workers"])
def test_an_iterable_data_set_has_content_and_no_order(
    options: dict[str, Any], tmp_path: Path, read_events: Callable[[Path], Events]
) -> None:
    """Nothing is drawn for it: its batches are compared by what is in them alone."""
    with reproof.record(tmp_path / "run", level="batches"):
        batches = list(DataLoader(Stream(), batch_size=3, **options))
    events = read_events(tmp_path / "run")
    assert {event.detail for event in events} == {"content"}
    assert events.names == ["loader0(iterable)"] * len(batches)
    assert [event.exact for event in events] == [tuple(batch.tolist()) for batch in batches]


def test_another_seed_is_a_difference_of_order(tmp_path: Path) -> None:
    """End to end: the same data shuffled by another generator; the same generator is identical."""
    data = TensorDataset(torch.randn(40, 3))
    for name, seed in (("a", 1), ("same", 1), ("b", 2)):
        with reproof.record(tmp_path / name, level="batches"):
            list(DataLoader(data, 8, shuffle=True, generator=torch.Generator().manual_seed(seed)))
    assert reproof.compare(tmp_path / "a", tmp_path / "same").verdict == "identical"
    comparison = reproof.compare(tmp_path / "a", tmp_path / "b")
    assert comparison.first is not None
    assert (comparison.verdict, comparison.first.detail) == ("diverged", "order")


def test_loaders_are_told_apart_by_creation_and_size(tmp_path: Path, read_events: Callable[[Path], Events]) -> None:
    """A loader has its number from when it was made, not from when it was used, and keeps it for all epochs."""
    with reproof.record(tmp_path / "run", level="batches"):
        train, test = DataLoader(Indices(4), batch_size=4), DataLoader(Indices(2), batch_size=2)
        for _ in range(2):
            list(test)
            list(zip(train, test, strict=True))
    names = [event.name for event in read_events(tmp_path / "run").contents()]
    assert names == ["loader1(2)", "loader0(4)", "loader1(2)"] * 2


def test_loaders_made_anew_each_epoch_get_new_numbers(tmp_path: Path, read_events: Callable[[Path], Events]) -> None:
    """The numbers follow the order in which they were made, so that two runs agree on them."""
    for name in "ab":
        with reproof.record(tmp_path / name, level="batches"):
            for _ in range(3):
                list(DataLoader(Indices(2), batch_size=2))
    contents = read_events(tmp_path / "a").contents()
    assert [event.name for event in contents] == ["loader0(2)", "loader1(2)", "loader2(2)"]
    assert reproof.compare(tmp_path / "a", tmp_path / "b").verdict == "identical"


def test_loaders_and_iterators_made_before_the_recording_are_seen(
    tmp_path: Path, read_events: Callable[[Path], Events]
) -> None:
    """A loader is numbered when it is first used; of an iterator that was under way, the content is known alone."""
    loader, under_way = DataLoader(Indices(2), batch_size=2), iter(DataLoader(Indices(6), batch_size=2))
    next(under_way)
    with reproof.record(tmp_path / "run", level="batches"):
        list(loader)
        list(under_way)
    events = read_events(tmp_path / "run")
    assert events.names == ["loader0(2) indices", "loader0(2)", "loader1(iterator)", "loader1(iterator)"]


class Strange(DataLoader):
    """A loader that compares by value and so has no hash."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        """Compare by value."""
        return isinstance(other, Strange)


class Boundless(Indices):
    """A data set that will not tell its length."""

    def __len__(self) -> int:
        """Refuse."""
        raise RuntimeError("ask somebody else")


@pytest.mark.parametrize("make", [lambda: Strange(Indices(4)), lambda: DataLoader(Boundless(4), sampler=range(4))])
def test_a_loader_that_cannot_be_named_still_delivers(
    make: Callable[[], DataLoader], tmp_path: Path, read_events: Callable[[Path], Events]
) -> None:
    """The training gets its batches, their content is recorded, and what is missing is a problem of the trace."""
    for name in "ab":
        with reproof.record(tmp_path / name, level="batches") as recording:
            assert [batch.item() for batch in make()] == [0, 1, 2, 3]
        assert len(read_events(tmp_path / name).contents()) == 4
        assert "loader not recorded" in recording.problems[0]
    assert reproof.compare(tmp_path / "a", tmp_path / "b").verdict == "inconclusive"


def test_num_batches_limits_each_loader(tmp_path: Path, read_events: Callable[[Path], Events]) -> None:
    """Of each loader so many batches are recorded over all epochs; the training gets all of them."""
    with reproof.record(tmp_path / "run", level="batches", num_batches=3):
        loaders = DataLoader(Indices(4), batch_size=2), DataLoader(Indices(8), batch_size=2)
        for loader in loaders:
            assert [len(list(loader)) for _ in range(2)] == [len(loader)] * 2
    assert read_events(tmp_path / "run").orders() == [(0, 1), (2, 3), (0, 1), (0, 1), (2, 3), (4, 5)]


def test_threads_may_iterate_loaders_at_once(tmp_path: Path, read_events: Callable[[Path], Events]) -> None:
    """No batch is lost or mixed up when several threads load at the same time, and the trace is whole."""
    with reproof.record(tmp_path / "run", level="batches"):
        loaders = [DataLoader(Indices(400), batch_size=2, shuffle=True) for _ in range(3)]
        threads = [threading.Thread(target=list, args=(loader,)) for loader in loaders]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    events = read_events(tmp_path / "run")
    for number in range(3):
        name = f"loader{number}(400)"
        orders, contents = events.named(f"{name} indices"), events.named(name)
        assert [event.exact for event in orders] == [event.exact for event in contents]
        assert sorted(itertools.chain(*(event.exact or () for event in contents))) == list(range(400))

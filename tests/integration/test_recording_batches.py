"""What becomes evidence of a batch: each tensor, array and plain value in it, in any nesting, by a stable name."""

from __future__ import annotations

import collections
import dataclasses
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest
import torch
from torch.nn.utils import rnn
from torch.utils.data import DataLoader

import reproof
from reproof.trace import open_trace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.conftest import Events

LOADER = "loader0(1)"


class Pair(NamedTuple):
    """A named tuple, as many data sets give."""

    signal: Any
    label: Any


@dataclasses.dataclass
class Record:
    """A data class, one field of which is left out of comparisons."""

    signal: Any
    label: Any = dataclasses.field(compare=False, default=None)


class Image:
    """What Pillow's images are to numpy; counts how often its pixels are asked for."""

    def __init__(self, pixels: np.ndarray) -> None:
        """Show these pixels."""
        self.pixels = pixels
        self.num_reads = 0

    @property
    def __array_interface__(self) -> dict[str, Any]:
        """Tell numpy where the pixels lie."""
        self.num_reads += 1
        return self.pixels.__array_interface__


class Node:
    """An object that knows its neighbours, and they know it."""

    def __init__(self, value: torch.Tensor) -> None:
        """Hold a tensor."""
        self.value = value
        self.neighbours: list[Node] = []


def make_graph(num_nodes: int = 6) -> list[Node]:
    """Return nodes each of which refers to all others."""
    nodes = [Node(torch.tensor(float(i))) for i in range(num_nodes)]
    for node in nodes:
        node.neighbours = [other for other in nodes if other is not node]
    return nodes


def load(batch: Any) -> DataLoader:
    """Return a loader that hands out one batch, as it is."""
    return DataLoader([batch], batch_size=None, collate_fn=lambda whole: whole)


def record_batch(batch: Any, folder: Path, **options: Any) -> Path:
    """Record a loop over one batch."""
    with reproof.record(folder, level="batches", **options):
        for received in load(batch):
            assert received is batch
    return folder


T = torch.arange(3.0)
PACKED = rnn.pack_sequence([torch.arange(2.0), torch.arange(3.0)], enforce_sorted=False)
NESTED = {
    "tensor": (T, {"": 1}),
    "tuple": ((T, T.int()), {"[0]": 1, "[1]": 1}),
    "list": ([T, [T, T]], {"[0]": 1, "[1][0]": 1, "[1][1]": 1}),
    "dict": ({"b": T, "a": {2: T}, ("x", 1): 0}, {"['b']": 1, "['a'][2]": 1, "[('x', 1)]": 0}),
    "ordered dict": (collections.OrderedDict(z=T, a=T), {"['z']": 1, "['a']": 1}),
    "named tuple": (Pair(T, Pair(T, 1)), {".signal": 1, ".label.signal": 1, ".label.label": 0}),
    "data class": (Record(T, (T, "x")), {".signal": 1, ".label[0]": 1, ".label[1]": 0}),
    "numpy": ((np.zeros(2), np.float32(1), np.array(["a"])), {"[0]": 1, "[1]": 1, "[2]": 1}),
    "objects in numpy": (np.array([{"a": 1}, None], dtype=object), {"": 1}),
    "numbers": ((1, 2.5, True, 1j, T), {"[0]": 0, "[1]": 0, "[2]": 0, "[3]": 0, "[4]": 1}),
    "strings and nothing": ({"id": "s1", "raw": b"\0", "none": None}, {"['id']": 0, "['raw']": 0, "['none']": 0}),
    "list of strings": ({"path": ["a", "b"], "y": T}, {"['path']": 0, "['y']": 1}),
    "set of strings": ({"tags": {"b", "a"}}, {"['tags']": 0}),
    "packed sequence": (
        PACKED, {".data": 1, ".batch_sizes": 1, ".sorted_indices": 1, ".unsorted_indices": 1},
    ),
    "sparse": ((T.to_sparse(), torch.eye(2).to_sparse()), {"[0]": 1, "[1]": 1}),
    "image": ((Image(np.eye(2)), 1), {"[0]": 1, "[1]": 0}),
    "object": (SimpleNamespace(x=T, size=torch.Size([3])), {".x": 1, ".size": 0}),
    "object with functions": (SimpleNamespace(x=T, f=len, g=lambda: 0, kind=int, m=np), {".x": 1}),
    "keys that are objects": ({SimpleNamespace: T, len: T}, {"[type]": 1, "[builtin_function_or_method]": 1}),
    "long list of tensors": ({"boxes": [T] * 20}, {"['boxes']": 20}),
    "long list of dicts": ([{"x": T, "y": (T, 1)}] * 20, {"": 40}),
    "empty": ({"boxes": [], "labels": ()}, {"['boxes']": 0, "['labels']": 0}),
}  # fmt: skip


@pytest.mark.parametrize(("batch", "expected"), NESTED.values(), ids=NESTED.keys())
def test_each_leaf_of_a_batch_is_an_event(
    batch: Any, expected: dict[str, int], tmp_path: Path, read_events: Callable[[Path], Events]
) -> None:
    """Names follow the nesting, in its own order; each event knows how many tensors it covers."""
    events = read_events(record_batch(batch, tmp_path / "run"))
    assert {event.name: event.num_tensors for event in events.contents()} == {
        f"{LOADER}{path}": num for path, num in expected.items()
    }
    assert [event.skipped for event in events] == [None] * len(events)
    record_batch(batch, tmp_path / "again")
    assert reproof.compare(tmp_path / "run", tmp_path / "again").verdict == "identical"


CHANGES = {
    "one bit": ((T, 1), (torch.nextafter(T, T + 1), 1), "[0]"),
    "the sign of zero": ({"x": torch.tensor([0.0])}, {"x": torch.tensor([-0.0])}, "['x']"),
    "dtype": (T, T.double(), ""),
    "shape": (T, T[None], ""),
    "a number for an array": ((np.float64(1.0), T), (1.0, T), "[0]"),
    "a number": ((1, T), (2, T), "[0]"),
    "a number's type": ((1, T), (True, T), "[0]"),
    "a string": ({"id": "a"}, {"id": "b"}, "['id']"),
    "one in a long list": ([T] * 20, [T] * 19 + [T + 1], ""),
    "the order of a long list": ([T, T + 1] * 9, [T + 1, T] * 9, ""),
    "an element of a set": ({"tags": {"a", "b"}}, {"tags": {"a", "c"}}, "['tags']"),
    "a pixel": (Image(np.eye(2)), Image(np.ones((2, 2))), ""),
    "an attribute": (SimpleNamespace(a=SimpleNamespace(b=T)), SimpleNamespace(a=SimpleNamespace(b=-T)), ".a.b"),
    "a stored zero": (torch.tensor([1.0, 0]).to_sparse(), torch.tensor([1.0, 2]).to_sparse(), ""),
}


@pytest.mark.parametrize(("baseline", "candidate", "path"), CHANGES.values(), ids=CHANGES.keys())
def test_a_change_of_content_is_found_by_name(baseline: Any, candidate: Any, path: str, tmp_path: Path) -> None:
    """Any change, of value, type, shape or order, is a divergence of content in the leaf where it is."""
    runs = record_batch(baseline, tmp_path / "a"), record_batch(candidate, tmp_path / "b")
    first = reproof.compare(*runs).first
    assert first is not None
    assert (first.stage, first.detail, first.name) == ("batch", "content", f"{LOADER}{path}")


def test_what_has_no_known_content_is_skipped_and_said(
    tmp_path: Path, read_events: Callable[[Path], Events], reasons: Callable[..., str]
) -> None:
    """The rest of the batch is recorded; the verdict can no longer be *identical*, and names what is missing."""
    batch = {"x": T, "sentinel": object(), "lazy": (i for i in range(3)), "meta": torch.ones(2, device="meta")}
    runs = [record_batch(batch, tmp_path / name) for name in "ab"]
    skipped = [event.name for event in read_events(runs[0]) if event.skipped]
    assert skipped == [f"{LOADER}['sentinel']", f"{LOADER}['lazy']", f"{LOADER}['meta']"]
    assert list(batch["lazy"]) == [0, 1, 2]
    comparison = reproof.compare(*runs)
    assert comparison.verdict == "inconclusive"
    assert all(name in reasons(comparison) for name in skipped)
    assert comparison.num_tensors == 1


def test_one_part_without_known_content_spares_the_rest_of_a_long_list(
    tmp_path: Path, read_events: Callable[[Path], Events]
) -> None:
    """A long list is one piece of evidence: it is skipped whole, the parts beside it are not."""
    events = read_events(record_batch({"boxes": [*([T] * 20), object()], "x": T}, tmp_path / "run"))
    assert [(event.name, event.skipped is None) for event in events.contents()] == [
        (f"{LOADER}['boxes']", False),
        (f"{LOADER}['x']", True),
    ]


def test_objects_that_refer_to_each_other_are_recorded_once(
    tmp_path: Path, read_events: Callable[[Path], Events]
) -> None:
    """A graph of objects takes time and events in proportion to its size, not to the number of ways through it."""
    events = read_events(record_batch({"graph": SimpleNamespace(nodes=make_graph())}, tmp_path / "run"))
    assert [event.skipped for event in events.contents()] == [None] * 6
    itself: list[Any] = [T]
    itself.append(itself)
    assert len(read_events(record_batch(itself, tmp_path / "itself"))) < 40


def test_pixels_of_an_image_are_read_for_its_digest_alone(tmp_path: Path) -> None:
    """Looking at what an image is does not decode it."""
    image = Image(np.eye(2))
    record_batch((image, 1), tmp_path / "run")
    assert image.num_reads == 1


def test_numbers_kept_with_a_batch(tmp_path: Path, read_events: Callable[[Path], Events]) -> None:
    """Labels are kept exactly, other tensors by a fingerprint of each sample, and statistics where asked for."""
    batch = {"x": torch.randn(4, 3), "label": torch.tensor([2, 0, 1, 1]), "mask": torch.tensor([True, False])}
    for wanted in (False, True):
        events = read_events(record_batch(batch, tmp_path / str(wanted), statistics=wanted))
        (inputs,), (labels,) = (events.named(f"{LOADER}['{key}']") for key in ("x", "label"))
        assert inputs.kinds == ({"samples", "statistics"} if wanted else {"samples"})
        assert (labels.exact, labels.kinds) == ((2, 0, 1, 1), {"exact"})


def test_numbers_take_few_bytes(tmp_path: Path) -> None:
    """Labels are kept in the smallest type that holds them; of token ids, a fingerprint of each sample is."""
    batch = {"tokens": torch.arange(600, 1624).view(8, 128), "labels": torch.tensor([0, 255, 7])}
    rank = open_trace(record_batch(batch, tmp_path / "run")).ranks[0]
    events = rank.frame(0).layout.events
    kept = {
        (events[position].name.removeprefix(LOADER), kind): (numbers.typecode, len(numbers.values))
        for (position, kind), numbers in rank.numbers(0).items()
    }
    assert kept["['labels']", "exact"] == ("B", 3)
    assert kept["['tokens']", "samples"] == ("I", 8)
    assert ("['tokens']", "exact") not in kept


def test_statistics_let_runs_be_equivalent(tmp_path: Path) -> None:
    """Batches that differ by less than a tolerance are equivalent where statistics were recorded, else unknown."""
    batch = torch.linspace(0, 1, 64).reshape(8, 8)
    for wanted, verdict in ((True, "equivalent"), (False, "inconclusive")):
        runs = [tmp_path / f"{name}{wanted}" for name in "ab"]
        record_batch(batch, runs[0], statistics=wanted)
        record_batch(batch + 1e-7, runs[1], statistics=wanted)
        assert reproof.compare(*runs).verdict == "diverged"
        assert reproof.compare(*runs, tolerance=1e-3).verdict == verdict


def test_a_changed_sample_is_named(tmp_path: Path) -> None:
    """Same indices, other noise in one sample: a difference of content that names the sample."""
    samples = torch.randn(10, 3)
    changed = samples.clone()
    changed[7, 1] += 1
    for name, data in (("a", samples), ("b", changed)):
        with reproof.record(tmp_path / name, level="batches"):
            list(DataLoader(data, batch_size=4, sampler=[3, 1, 0, 2, 9, 8, 7, 6]))
    first = reproof.compare(tmp_path / "a", tmp_path / "b").first
    assert first is not None
    assert (first.detail, first.name) == ("content", "loader0(10)")
    assert "sample 2 (index 7) of 4" in str(first.explanation)


def test_other_indices_are_a_difference_of_order(tmp_path: Path) -> None:
    """The same samples in another order are told from other content, and so are other samples."""
    for name, order in (("a", [0, 1, 2, 3]), ("b", [0, 2, 1, 3]), ("c", [0, 1, 2, 4])):
        with reproof.record(tmp_path / name, level="batches"):
            list(DataLoader(torch.arange(5.0), batch_size=4, sampler=order))
    for name, words in (("b", "the same 4 samples in another order"), ("c", "1 of 4 samples")):
        first = reproof.compare(tmp_path / "a", tmp_path / name).first
        assert first is not None
        assert (first.detail, first.name) == ("order", "loader0(5) indices")
        assert words in str(first.explanation)

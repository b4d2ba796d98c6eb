"""Digests of values of any kind tell what they hold, and nothing else."""

from __future__ import annotations

import array
import collections
import ctypes
import datetime
import enum
import random
import threading
from typing import Any

import numpy as np
import pytest
import torch

from reproof.entropy.calls.contents import digest_content


class Shape:
    """An object of the user's, whose own methods must not be called."""

    def __init__(self, *sides: Any) -> None:
        """Hold some things."""
        self.sides = sides

    def __eq__(self, other: object) -> bool:
        """Fail."""
        raise AssertionError

    def __hash__(self) -> int:
        """Fail."""
        raise AssertionError

    def __getstate__(self) -> Any:
        """Fail."""
        raise AssertionError


class Slotted:
    """One without a dictionary."""

    __slots__ = ("__hidden", "seen")

    def __init__(self, seen: Any, hidden: Any) -> None:
        """Hold two things."""
        self.seen = seen
        self.__hidden = hidden


class Colour(enum.Enum):
    """Two colours."""

    RED = "red"
    BLUE = "blue"


class Name(str):
    """A text with an attribute, which shows itself as another."""

    __slots__ = ("more",)

    def __str__(self) -> str:
        """Fail."""
        raise AssertionError


def draw(generator: Any) -> Any:
    """Return a generator from which something was drawn."""
    generator.random()
    return generator


def changed(size: int, position: int) -> np.ndarray:
    """Return an array with one element that differs."""
    made = np.zeros(size, dtype=np.uint8)
    made[position] = 1
    return made


Point = collections.namedtuple("Point", "x y")  # noqa: PYI024  # as users make them

DIFFERENT: list[tuple[Any, Any]] = [
    (1, 1.0),
    (1, True),
    (0.0, -0.0),
    ("a", b"a"),
    ([1, 2], (1, 2)),
    ([1, 2], [2, 1]),
    ([[1], [2]], [[1, 2]]),
    ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    ({1, 2}, {1, 3}),
    (np.zeros(3), np.zeros(3, dtype=np.float32)),
    (np.zeros((2, 3)), np.zeros((3, 2))),
    (changed(1 << 22, 3_000_001), changed(1 << 22, 3_000_002)),
    (np.array(["a", None], dtype=object), np.array(["b", None], dtype=object)),
    (torch.zeros(3), torch.zeros(3, dtype=torch.bfloat16)),
    (torch.arange(6).view(2, 3).t(), torch.arange(6).view(3, 2)),
    (np.random.default_rng(1), draw(np.random.default_rng(1))),
    (np.random.RandomState(1), np.random.RandomState(2)),
    (random.Random(1), draw(random.Random(1))),
    (torch.Generator().manual_seed(1), torch.Generator().manual_seed(2)),
    (Shape(1, [2]), Shape(1, [3])),
    (Slotted(1, 2), Slotted(1, 3)),
    (Name("a"), Name("b")),
    (Point(1, 2), Point(1, 3)),
    (Colour.RED, Colour.BLUE),
    (datetime.date(2026, 1, 2), datetime.date(2026, 1, 3)),
    (collections.deque([1, 2]), collections.deque([2, 1])),
    (collections.OrderedDict(a=1), collections.OrderedDict(a=2)),
    (bytearray(b"a"), bytearray(b"b")),
    (array.array("i", [1]), array.array("i", [2])),
    ((ctypes.c_uint8 * 2)(1, 2), (ctypes.c_uint8 * 2)(1, 3)),
    (ValueError("a"), ValueError("b")),
    (len, max),
    (int, float),
]


@pytest.mark.parametrize(("one", "other"), DIFFERENT, ids=lambda value: type(value).__name__)
def test_what_differs_has_other_digests(one: Any, other: Any) -> None:
    """Types, order, every element and every state count; all of it was looked into."""
    first, second = digest_content(one), digest_content(other)
    assert first.digest != second.digest
    assert first.is_whole
    assert second.is_whole


def make_values() -> list[Any]:
    """Return values, made anew each time."""
    around: list[Any] = [1]
    around.append(around)
    text = str(12)
    return [
        [text, text],
        {"x": [1.5, None], "y": {"z", "w"}},
        around,
        np.arange(12).reshape(3, 4)[:, ::2],
        torch.arange(6).view(2, 3).t(),
        Shape(Slotted("s", {1: 2}), Colour.RED),
        np.random.default_rng(3),
        random.Random(3),
        lambda x: x + len(text),
        [].append,
        threading.Lock(),
        ctypes.CDLL(None),
        float("nan"),
        np.float32("nan"),
    ]


def test_what_is_equal_has_equal_digests() -> None:
    """Addresses, shared parts and the order of sets do not count."""
    assert [digest_content(one).digest for one in make_values()] == [
        digest_content(one).digest for one in make_values()
    ]
    assert digest_content({"a", "b", "c"}) == digest_content({"c", "b", "a"})
    assert digest_content([np.float64(1)] * 2) == digest_content([np.float64(1), np.float64(1)])


@pytest.mark.parametrize(
    "value",
    [threading.Lock(), (item for item in "ab"), torch.nn.Linear(1, 1), [random.SystemRandom()], threading.Thread()],
    ids=lambda value: type(value).__name__,
)
def test_what_cannot_be_looked_into_is_told(value: Any) -> None:
    """It counts by its type."""
    assert not digest_content(value).is_whole


def test_nothing_is_consumed() -> None:
    """An iterator gives afterwards what it would have given."""
    items = iter([1, 2])
    digest_content(items)
    assert list(items) == [1, 2]

"""The walk through what a training handles: which leaves it finds, and what it calls them."""

from __future__ import annotations

import enum
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from reproof.digest import CannotDigestError
from reproof.recorder.evidence import MAX_CHILDREN, MAX_DEPTH, digest_leaf, walk


class Split(enum.Enum):
    """A key that is no string."""

    TRAIN = 1


T = torch.zeros(2)


def name_leaves(value: Any) -> list[str]:
    """Return the names of the leaves of a value."""
    return [name for name, _ in walk(value, "x", 0)]


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (T, ["x"]),
        ({"a": T, 1: T, ("b", 2): T}, ["x['a']", "x[1]", "x[('b', 2)]"]),
        ({Split.TRAIN: T}, ["x[<Split.TRAIN: 1>]"]),
        ({object(): T, (1, object()): T}, ["x[object]", "x[tuple]"]),
        ([T] * MAX_CHILDREN, [f"x[{i}]" for i in range(MAX_CHILDREN)]),
        ([T] * (MAX_CHILDREN + 1), ["x"]),
        ([1, "a", None], ["x"]),
        ([], ["x"]),
        ({}, []),
        (len, []),
        (object(), ["x"]),
        (SimpleNamespace(a=T, b=SimpleNamespace(c=1)), ["x.a", "x.b.c"]),
    ],
    ids=[
        "tensor", "keys", "enumerated key", "keys that are objects", "list", "long list", "plain list", "empty list",
        "empty dict", "function", "object without attributes", "objects",
    ],
)  # fmt: skip
def test_leaves_have_the_names_of_their_places(value: Any, names: list[str]) -> None:
    """A name tells the way to the leaf, and never where in memory anything lies."""
    assert name_leaves(value) == names


def test_the_same_object_twice_is_walked_once() -> None:
    """An object within itself ends the walk, and one that several others share is evidence once."""
    shared = SimpleNamespace(value=T)
    whole = SimpleNamespace(first=shared, second=[shared, T])
    whole.itself = whole
    assert name_leaves(whole) == ["x.first.value", "x.second[1]"]


def test_the_walk_ends_in_the_depth() -> None:
    """What is nested deeper is a leaf, whose content is then not known."""
    deep: Any = T
    for _ in range(MAX_DEPTH + 1):
        deep = {"a": deep}
    ((name, leaf),) = walk(deep, "x", 0)
    assert name == "x" + "['a']" * MAX_DEPTH
    with pytest.raises(CannotDigestError, match=r"a value of type builtins\.dict has no known content"):
        digest_leaf(leaf)


def test_a_long_list_counts_all_its_tensors() -> None:
    """Its digest covers the leaves of all its elements, by place."""
    values = [{"a": T, "b": (T, 1)}] * 20
    digest, num_tensors = digest_leaf(values)
    assert num_tensors == 40
    assert digest_leaf([*values[:-1], {"b": (T, 1), "a": T}])[0] != digest
    assert digest_leaf(list(values)) == (digest, 40)

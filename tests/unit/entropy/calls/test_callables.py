"""Which calls are watched, and what they are called."""

from __future__ import annotations

import ctypes
import functools
import math
import random
import sqlite3
import ssl
import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from reproof.entropy.calls.callables import is_watched, name_call


class Own:
    """A class of the user's."""

    def __init__(self) -> None:
        """Do nothing."""

    def __call__(self) -> None:
        """Do nothing."""

    def method(self) -> None:
        """Do nothing."""


GENERATOR = np.random.default_rng(1)
DATABASE = sqlite3.connect(":memory:")
LIBC: Any = ctypes.CDLL(None)


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (ssl.RAND_bytes, "ssl.RAND_bytes"),
        (GENERATOR.normal, "numpy.Generator.normal"),
        (DATABASE.execute, "sqlite3.Connection.execute"),
        (LIBC.rand, "ctypes.rand"),
        (random.Random(1).shuffle, "random.Random.shuffle"),
        (functools.partial(max, 3), "functools.partial"),
        (sorted, "sorted"),
        (np.add, "numpy.add"),
    ],
)
def test_calls_of_libraries_are_watched(function: Any, name: str) -> None:
    """Functions, methods and objects that are called, under names that a person knows."""
    assert is_watched(function)
    assert name_call(function) == name


@pytest.mark.parametrize(
    "function",
    [
        Own,
        Own(),
        Own().method,
        math.sqrt,
        [].append,
        "a".join,
        {}.get,
        torch.ones,
        torch.ones(1).sum,
        torch.nn.Linear,
        torch.nn.Linear(1, 1),
        torch.nn.functional.relu,
    ],
)
def test_calls_that_are_seen_otherwise_are_not(function: Any) -> None:
    """The user's own, PyTorch's, and those of plain values."""
    assert not is_watched(function)


def test_a_name_is_found_for_whatever_can_be_called() -> None:
    """Its type, if it has none of its own."""
    assert name_call(SimpleNamespace(__name__=3)) == "types.SimpleNamespace"
    assert name_call(time.time) == "time.time"

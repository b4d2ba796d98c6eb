"""What is put in the place of a function behaves as the function does."""

from __future__ import annotations

import copy
import pickle
import sys
import time
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from reproof.entropy.replacing import liken, replace_function

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def clocks() -> Iterator[Any]:
    """Return a module with a function written in C and one written in Python, both replaced by others."""
    module: Any = ModuleType("clocks_of_a_test")
    module.compiled, module.python = time.perf_counter, lambda *args: args
    sys.modules[module.__name__] = module
    replace_function(module, "compiled", lambda *args: ("ours", *args))
    replace_function(module, "python", lambda *args: ("ours", *args))
    yield module
    del sys.modules[module.__name__]


def test_a_function_of_c_becomes_no_method(clocks: Any) -> None:
    """Within a class it is called without the object, as the original is; one of Python is called with it."""
    timer: Any = type("Timer", (), {"compiled": clocks.compiled, "python": clocks.python})()
    assert timer.compiled() == ("ours",)
    assert timer.python() == ("ours", timer)
    assert clocks.compiled(1) == ("ours", 1)


def test_it_is_pickled_and_copied_by_its_name(clocks: Any) -> None:
    """As a function is: what comes back is the same one."""
    clocks.compiled.__qualname__ = "compiled"
    assert pickle.loads(pickle.dumps(clocks.compiled)) is clocks.compiled
    assert copy.deepcopy(clocks.compiled) is clocks.compiled


def test_it_looks_like_the_original() -> None:
    """Its name is that of the original, and so is what was noted of the replacement; again, when it is replaced."""

    def ours() -> None: ...

    ours.__dict__["_torchdynamo_disable"] = True
    likened: Any = liken(ours, time.time)
    assert likened.__name__ == "ours"
    assert likened._torchdynamo_disable
    again: Any = liken(ours, likened)
    assert type("Timer", (), {"clock": again})().clock() is None

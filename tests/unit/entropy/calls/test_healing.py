"""Results of an earlier run are put in the place of others."""

from __future__ import annotations

import ctypes
import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from reproof.entropy.calls.contents import digest_content
from reproof.entropy.calls.healing import (
    Result,
    apply_result,
    change_into,
    is_path,
    load_result,
    names_outside,
    save_result,
)


def kept(returned: Any, *changed: tuple[int, Any], is_argument: int | None = None) -> Result:
    """Return a result as it comes back from a file."""
    data = save_result(Result(returned, changed, is_argument), 1 << 20)
    assert data is not None
    return load_result(data)


def test_what_was_returned_is_replaced() -> None:
    """By the earlier value."""
    assert apply_result(kept([3, 1, 2]), [1, 2, 3], []) == ([3, 1, 2], True)


@pytest.mark.parametrize(
    ("now", "earlier"),
    [
        ([1, 2], [2, 1]),
        ({"a": 1}, {"b": 2}),
        ({1}, {2}),
        (bytearray(b"ab"), bytearray(b"cd")),
        (np.zeros(2), np.ones(2)),
        (torch.zeros(2), torch.ones(2)),
        (np.random.default_rng(1), np.random.default_rng(2)),
        (np.random.RandomState(1), np.random.RandomState(2)),
        (random.Random(1), random.Random(2)),
        (torch.Generator().manual_seed(1), torch.Generator().manual_seed(2)),
        ((ctypes.c_uint8 * 2)(1, 2), (ctypes.c_uint8 * 2)(3, 4)),
        (SimpleNamespace(x=1), SimpleNamespace(y=2)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_was_changed_in_place_is_changed_again(now: Any, earlier: Any) -> None:
    """The object is the same one, and holds what the earlier one did."""
    can_be_saved = not isinstance(earlier, torch.Generator)
    result = kept(None, (0, earlier)) if can_be_saved else Result(None, ((0, earlier),))
    returned, is_whole = apply_result(result, None, [now])
    assert (returned, is_whole) == (None, True)
    assert digest_content(now).digest == digest_content(earlier).digest


def test_what_returns_its_own_object_still_does() -> None:
    """As `fit` does: the object holds what the earlier one did."""
    model = SimpleNamespace(x=1)
    returned, is_whole = apply_result(kept(None, (0, SimpleNamespace(x=5)), is_argument=0), model, [model])
    assert (returned is model, model.x, is_whole) == (True, 5, True)


def test_what_cannot_be_changed_is_told() -> None:
    """Another type, or nothing that could be written."""
    assert not change_into(3, 4)
    assert not change_into([1], (1,))
    assert apply_result(kept(None, (0, 4)), None, [3]) == (None, False)


@pytest.mark.parametrize("value", [lambda: 1, torch.nn.Linear(1, 1), np.zeros(1 << 18)])
def test_what_cannot_be_kept_is_left(value: Any) -> None:
    """What has no form to be saved in, models (the recorder has them), and what is large."""
    assert save_result(Result(value), 1 << 20) is None


def test_names_of_what_is_outside_are_known(tmp_path: Path) -> None:
    """Paths by what they are, ports and numbers of processes by what was called."""
    assert names_outside("x.make", Result(str(tmp_path / "new")))
    assert names_outside("x.make", Result(None, ((1, Path("data")),)))
    assert names_outside("socket.socket.getsockname", Result(("127.0.0.1", 40001)))
    assert not names_outside("x.make", Result("a / b"))
    assert not is_path("/no/such/folder/file")

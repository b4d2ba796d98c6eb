"""Calls that return memory which nothing has written are compiled to pass through a function that fills it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from reproof.entropy.rewriting.allocations import ALLOCATING, Allocations, Filler
from reproof.entropy.rewriting.recompiling import compile_changed

MARK = -7.0
DATA = np.array([1.0, 4.0, 0.0, 9.0])


def evaluate(expression: str, filler: Filler) -> Any:
    """Evaluate an expression of a module that is compiled so."""
    names = {ALLOCATING: filler.pass_allocating, "np": np, "ndarray": np.ndarray, "x": DATA, "user": lambda **_: 5}
    exec(compile_changed(f"found = {expression}", "module.py", Allocations()), names)  # noqa: S102  # what is tested
    return names["found"]


@pytest.fixture
def filler() -> Filler:
    """Return one that writes a mark."""

    def fill(array: Any, unwritten: Any) -> None:
        array[... if unwritten is None else unwritten] = MARK

    made = Filler()
    made.fill = fill
    return made


@pytest.mark.filterwarnings("ignore:'where' used without 'out'")  # since NumPy 2.4
@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("np.ndarray(3)", [MARK] * 3),
        ("ndarray(shape=(2,), dtype='f4')", [MARK] * 2),
        ("np.sqrt(x, where=x > 0)", [1, 2, MARK, 3]),
        ("np.divide(x, x, where=x > 0)", [1, 1, MARK, 1]),
        ("np.divmod(x, 2, where=x > 1, out=(None, None))[1]", [MARK, 0, MARK, 1]),
    ],
)
def test_what_nothing_has_written_is_filled(expression: str, expected: list[float], filler: Filler) -> None:
    """All of an array that is only allocated, and what a mask leaves out."""
    assert evaluate(expression, filler).tolist() == expected


@pytest.mark.parametrize(
    "expression",
    [
        "np.ndarray(2, 'f8', x)",
        "np.ndarray((2,), buffer=x)",
        "np.sqrt(x, where=True)",
        "np.sqrt(x, np.zeros(4), where=x > 0)",
        "np.sqrt(x, where=x > 0, out=np.zeros(4))",
        "np.sum(x, where=x > 0)",
        "user(where=x)",
    ],
)
def test_what_is_written_stays_as_it_is(expression: str, filler: Filler) -> None:
    """Memory that was given, and functions that are no ufuncs, are as without us."""
    assert np.array_equal(evaluate(expression, filler), evaluate(expression, Filler()))
    assert MARK not in np.ravel(evaluate(expression, filler))


def test_nothing_is_filled_before_somebody_says_how() -> None:
    """The functions themselves are called."""
    assert Filler().pass_allocating(np.ndarray) is np.ndarray
    assert Filler().pass_allocating(np.sqrt) is np.sqrt

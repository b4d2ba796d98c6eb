"""Digests of data: where an array differs is told, and data without a known content are refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from reproof.bundle.data import compare_data, describe_array, describe_difference
from reproof.errors import UsageError

ROWS = np.arange(600.0).reshape(200, 3)


def difference(other: np.ndarray) -> str | None:
    """Return in words how an array differs from `ROWS`."""
    return describe_difference("x", describe_array(ROWS), describe_array(other))


def test_the_same_array_is_the_same_in_any_container() -> None:
    """A tensor, a Fortran-ordered and a big-endian array of the same numbers have the digests of the plain one."""
    plain = describe_array(ROWS)
    assert describe_array(np.asfortranarray(ROWS)) == plain
    assert describe_array(torch.from_numpy(ROWS))["unordered"] != ""
    assert describe_array([1, 2, 3]) == describe_array(np.array([1, 2, 3]))


def test_a_cell_is_placed() -> None:
    """A change of 1e-3 in one cell is found, and the rows around it are named."""
    other = ROWS.copy()
    other[101, 1] += 1e-3
    assert difference(other) == "x has other content, within rows 100 to 101"


def test_an_order_is_told_from_a_content() -> None:
    """The same rows in another order have the same unordered digest; with one changed they have not."""
    assert difference(ROWS[::-1]) == "x has the same rows in another order"
    assert "other content" in str(difference(np.vstack([ROWS[1:], ROWS[1:2]])))


def test_another_shape_or_type_is_told() -> None:
    """Fewer rows or another precision are named as such."""
    assert "shape [199, 3]" in str(difference(ROWS[:199]))
    assert "f4" in str(difference(ROWS.astype("f4")))
    assert difference(ROWS.copy()) is None


def test_minus_zero_is_other_data() -> None:
    """Bits decide, not values."""
    other = ROWS.copy()
    other[0, 0] = -0.0
    assert difference(other) is not None


def test_data_that_one_side_lacks_are_named() -> None:
    """A file or an array that only one side used is a difference."""
    entry = describe_array(ROWS)
    original = {"files": {"a.csv": {"sha256": "1"}}, "arrays": {"x": entry}}
    assert compare_data(original, {"files": {}, "arrays": {"y": entry}}) == [
        "the file a.csv was not read here",
        "x was not used here",
        "y is used here alone",
    ]


@pytest.mark.parametrize("data", [object(), [[1, 2]], np.array([object()])])
def test_data_without_a_known_content_are_refused(data: object) -> None:
    """What has no bytes of its own cannot be vouched for."""
    with pytest.raises(UsageError):
        describe_array(data)

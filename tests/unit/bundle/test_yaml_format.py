"""YAML of plain values: what is written is read back to the bit, and only plain values are."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reproof.errors import BundleError

yaml_format = pytest.importorskip("reproof.bundle.yaml_format")
pytest.importorskip("yaml")

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda items: st.lists(items, max_size=3) | st.dictionaries(st.text(max_size=6), items, max_size=3),
    max_leaves=8,
)


def read_back(value: dict[str, Any]) -> dict[str, Any]:
    """Return a mapping after a way through YAML."""
    found: dict[str, Any] = yaml_format.parse_yaml(yaml_format.dump_yaml(value).encode(), "x.yaml")
    return found


@given(st.dictionaries(st.text(max_size=6), PLAIN, max_size=3))
def test_plain_values_come_back_as_they_were(value: dict[str, Any]) -> None:
    """Numbers, texts that look like numbers, and nesting of any kind survive, each with its type and its bits."""
    assert repr(read_back(value)) == repr(value)


@pytest.mark.parametrize("text", ["1e-5", "off", "null", "1:30", "0x1F", "2020-01-01", "~", "<<", "1_000", ".inf", ""])
def test_texts_that_look_like_something_else_stay_texts(text: str) -> None:
    """What a hand would have to quote is quoted."""
    assert read_back({"a": text}) == {"a": text}


@pytest.mark.parametrize(
    ("text", "value"), [("1e-5", 1e-5), ("3E4", 3e4), ("1.5", 1.5), ("007", "007"), ("1:30", "1:30")]
)
def test_numbers_are_what_a_person_means(text: str, value: object) -> None:
    """`lr: 1e-5` is a number, which YAML 1.1 takes for text; a time of day is no number of seconds."""
    found = yaml_format.parse_yaml(f"a: {text}".encode(), "x.yaml")["a"]
    assert (type(found), found) == (type(value), value)


def test_infinity_and_nan_survive() -> None:
    """Losses may be infinite or no number."""
    found = read_back({"a": math.inf, "b": -math.inf, "c": math.nan})
    assert (found["a"], found["b"]) == (math.inf, -math.inf)
    assert math.isnan(found["c"])


@pytest.mark.parametrize("value", [{1, 2}, object(), b"x", 1j])
def test_what_is_not_plain_is_not_written(value: object) -> None:
    """The error names the place."""
    with pytest.raises(BundleError, match=r"model\.x is a builtins"):
        yaml_format.dump_yaml({"model": {"x": value}})

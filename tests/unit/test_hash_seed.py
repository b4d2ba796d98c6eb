"""Which hash seed a variable names; which one is in force is tested in fresh interpreters by `test_environment`."""

from __future__ import annotations

import pytest

from reproof.hash_seed import parse_seed, pinned_hash_seed


@pytest.mark.parametrize(
    ("text", "seed"),
    [
        ("0", 0),
        ("42", 42),
        ("4294967295", 4294967295),
        ("4294967296", None),
        ("007", 7),
        ("random", None),
        ("", None),
        (None, None),
        ("-1", None),
        ("²", None),
        ("9" * 5000, None),
    ],
)
def test_only_a_number_names_a_seed(text: str | None, seed: int | None) -> None:
    """Anything else names none, also what is too long to be read as a number at all."""
    assert parse_seed(text) == seed


def test_a_variable_that_is_set_later_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The seed in force is found by a hash, so that this process has the same one afterwards."""
    before = pinned_hash_seed()
    monkeypatch.setenv("PYTHONHASHSEED", "123456789" if before != 123456789 else "1")
    assert pinned_hash_seed() == before

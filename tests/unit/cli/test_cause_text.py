"""Causes as text: what is wrapped stays readable, and code stays code."""

from __future__ import annotations

import pytest

from reproof.cli.cause_text import wrap_code


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("f(x)    # seeded", ["f(x)    # seeded"]),
        ("draw(generator)    # with a generator, made once", ["draw(generator)", "# with a generator,", "# made once"]),
        ("seed it once, before the first draw", ["seed it once, before", "the first draw"]),
    ],
)
def test_a_comment_that_does_not_fit_stands_below_its_code(line: str, parts: list[str]) -> None:
    """As one on each of its lines, so that the fix can be pasted."""
    assert wrap_code(line, 20) == parts

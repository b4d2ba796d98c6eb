"""What is printed can be shown: by its encoding, by the locale, and without steering the terminal."""

from __future__ import annotations

import pytest

from reproof.cli.screen import Screen, asks_for_ascii, find_screen


@pytest.mark.parametrize(
    ("variables", "is_ascii"),
    [
        ({}, False),
        ({"LANG": "C"}, True),
        ({"LANG": "POSIX"}, True),
        ({"LANG": "de_DE.UTF-8"}, False),
        ({"LC_ALL": "C", "LANG": "de_DE.UTF-8"}, True),
        ({"LC_ALL": "C.UTF-8", "LANG": "C"}, False),
        ({"LC_CTYPE": "C.UTF-8", "LANG": "C"}, True),
        ({"LC_CTYPE": "de_DE.UTF-8", "LANG": "C"}, False),
        ({"LC_CTYPE": "C", "LANG": "de_DE.UTF-8"}, True),
        ({"LC_CTYPE": "C.UTF-8"}, False),
    ],
    ids=str,
)
def test_the_locale_c_asks_for_ascii(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], *, is_ascii: bool
) -> None:
    """Also where Python has set LC_CTYPE itself, to print UTF-8 nonetheless."""
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert asks_for_ascii() is is_ascii


def test_the_width_is_that_of_the_terminal_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Very wide and very narrow terminals are not followed."""
    widths = []
    for columns in ("20", "80", "400"):
        monkeypatch.setenv("COLUMNS", columns)
        widths.append(find_screen().width)
    assert widths == [60, 80, 100]


class TestFitting:
    """Names in a trace may hold any characters."""

    def test_control_characters_are_spelled_out(self) -> None:
        """A name must not clear the screen, ring, or begin a line of its own."""
        assert Screen().fit("a\x1b[2J\n\x07\x9b\ud800é") == "a\\x1b[2J\\n\\x07\\x9b\\ud800é"

    def test_what_the_encoding_lacks_is_spelled_out(self) -> None:
        """Nothing fails to print."""
        assert Screen(encoding="ascii", is_unicode=False).fit("größe, …") == "gr\\xf6\\xdfe, ..."
        assert Screen(encoding="latin-1").fit("größe ≤") == "größe \\u2264"

"""What `reproof reproduce` says before it trains."""

from __future__ import annotations

import pytest

from reproof.cli import reproduce_command
from reproof.cli.reproduce_command import show_needs
from reproof.reproducing.needs import Need

NEEDS = (
    Need(what="code", needed="model.py, training.py", here="the same, in /home/me/project", state="same"),
    Need(what="Python", needed="3.11.7", here="3.11.7", state="same"),
)
LAST = "Python  3.11.7; here: 3.11.7"


@pytest.mark.parametrize(
    ("width", "told"),
    [
        (None, ["code    model.py, training.py; here: the same, in /home/me/project", LAST]),
        (
            40,
            [
                "code    model.py, training.py; here:",
                "        the same, in /home/me/project",
                "Python  3.11.7; here: 3.11.7",
            ],
        ),
    ],
)
def test_what_is_needed_is_no_wider_than_the_terminal(
    width: int | None, told: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a log each need has one line."""
    monkeypatch.setattr(reproduce_command, "find_width", lambda: width)
    show_needs(NEEDS)
    assert [line.removeprefix("  ") for line in capsys.readouterr().err.splitlines()] == told

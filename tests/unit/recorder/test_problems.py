"""Errors of the recorder are told in one line each, as often as they happen, and never pile up."""

from __future__ import annotations

import pytest

from reproof.entropy.handled import mark
from reproof.recorder.problems import MAX_PROBLEMS, Problems, describe_error


class MuteError(Exception):
    """An exception that cannot be put into words."""

    def __str__(self) -> str:
        """Fail."""
        raise RuntimeError("no words")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("two\n  lines"), "ValueError: two lines"),
        (KeyError("x"), "KeyError: 'x'"),
        (ValueError(), "ValueError"),
        (MuteError(), "MuteError"),
    ],
    ids=["lines", "key", "empty", "mute"],
)
def test_an_error_is_told_in_one_line(error: BaseException, text: str) -> None:
    """Type and text, whatever the exception does."""
    assert describe_error(error) == text


def test_an_error_of_a_handler_is_not_swallowed_while_another_is_told() -> None:
    """A signal may come while the text of an exception is made."""
    late = TimeoutError("time is up")
    mark(late)

    class Interrupted(Exception):  # noqa: N818  # as it would be in a program
        def __str__(self) -> str:
            raise late

    with pytest.raises(TimeoutError, match="time is up"):
        describe_error(Interrupted())


def test_problems_are_told_once_and_counted() -> None:
    """A problem of each step is one line that says how often and since when; of very many kinds the first are told."""
    steps = iter(range(1000))
    problems = Problems(lambda: next(steps))
    for _ in range(3):
        problems.add("batch not\nrecorded")
    problems.add("another")
    assert [line.partition(" (")[0] for line in problems.lines] == ["batch not recorded", "another"]
    assert "(3 times, first in step 0)" in problems.lines[0]
    for i in range(500):
        problems.add(f"problem {i}")
    assert len(problems.lines) == MAX_PROBLEMS + 1
    assert problems.lines[-1] == f"and {502 - MAX_PROBLEMS} other problems"


def test_a_guard_stops_errors_and_nothing_else() -> None:
    """Exceptions become problems; an interrupt or an exit of the training goes on its way."""
    problems = Problems(lambda: 4)
    with problems.guard("batch"):
        raise ValueError("17")
    assert problems.lines == ("batch not recorded: ValueError: 17 (in step 4)",)
    for interrupt in (KeyboardInterrupt, SystemExit, GeneratorExit):
        with pytest.raises(interrupt), problems.guard("batch"):
            raise interrupt
    assert len(problems.lines) == 1

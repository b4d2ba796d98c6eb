"""Tell an error that a signal handler of the program's has raised, wherever it was running, from an error of ours."""

from __future__ import annotations

import contextlib
from typing import Final

MARK: Final = "_reproof_raised_by_handler"


def mark(error: Exception) -> None:
    """Mark an error as raised by a signal handler of the program."""
    with contextlib.suppress(Exception):  # of a class that takes no attributes: then nothing is known of it
        setattr(error, MARK, True)


def is_by_handler(error: BaseException) -> bool:
    """Whether a handler of the program's is known to have raised this error."""
    return bool(getattr(error, MARK, False))


def let_through(error: BaseException) -> None:
    """Raise an error that is none of ours, because a handler of the program's has raised it. Raises that error."""
    if is_by_handler(error):
        raise error

"""Write down errors of the recorder itself, which are never passed on to the training."""

from __future__ import annotations

import contextlib
import re
import textwrap
from typing import TYPE_CHECKING, Final

from reproof.entropy.handled import let_through

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

MAX_PROBLEMS: Final = 20
"""Kinds of problems that are written out; further ones are only counted."""

MAX_CHARACTERS: Final = 400
"""Of the text of an exception, in which some hold whole reports."""

RULE: Final = re.compile(r"[-=_*#]{8,}")
"""A line across such a report."""


class Problems:
    """Evidence that could not be taken. A trace with any problem cannot prove that a run is identical."""

    def __init__(self, current_step: Callable[[], int]) -> None:
        """Start without problems; `current_step` returns the 0-based step under way."""
        self._current_step = current_step
        self._found: dict[str, Occurrences] = {}
        self._num_untold = 0
        self._guards: dict[str, Guard] = {}

    def add(self, problem: str) -> None:
        """Write down a problem, which is made one line."""
        line = " ".join(problem.split())
        if line not in self._found and len(self._found) >= MAX_PROBLEMS:
            self._num_untold += 1  # a text that is another each time must not fill the memory
        else:
            self._found.setdefault(line, Occurrences(self._current_step())).times += 1

    def add_error(self, what: str, error: BaseException) -> None:
        """Write down that `what` was not recorded because of an error.

        Raises that error, if a signal handler of the program's has raised it: it is the training's.
        """
        self.add(f"{what} not recorded: {describe_error(error)}")
        let_through(error)

    def guard(self, what: str) -> Guard:
        """Return a context in which an error becomes a problem with `what`."""
        known = self._guards.get(what)
        if known is None:
            known = self._guards[what] = Guard(self, what)
        return known

    @property
    def lines(self) -> tuple[str, ...]:
        """One line per kind of problem."""
        told = [f"{problem} ({seen})" for problem, seen in self._found.items()]
        return (*told, *((f"and {self._num_untold} other problems",) if self._num_untold else ()))


class Occurrences:
    """Where a problem was first met, and how often."""

    def __init__(self, step: int) -> None:
        """Note the step of the first time."""
        self.step = step
        self.times = 0

    def __str__(self) -> str:
        """Return it in a few words."""
        return f"in step {self.step}" if self.times == 1 else f"{self.times} times, first in step {self.step}"


class Guard(contextlib.AbstractContextManager["Guard"]):
    """A context in which an exception of the recorder becomes a problem."""

    def __init__(self, problems: Problems, what: str) -> None:
        """Report problems with `what`."""
        self._problems = problems
        self._what = what

    def __enter__(self) -> Guard:  # noqa: PYI034  # not meant to be derived from
        """Enter the context."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """Swallow an error of the recorder, never an interrupt."""
        if not isinstance(error, Exception):
            return False
        self._problems.add_error(self._what, error)
        return True


def describe_error(error: BaseException) -> str:
    """Return the type and text of an exception in one line, whatever its own methods do.

    Raises one that a signal handler of the program's has raised meanwhile.
    """
    try:
        text = textwrap.shorten(RULE.sub("", str(error)), MAX_CHARACTERS, placeholder=" ...")
    except Exception as failure:  # noqa: BLE001  # the exception is the user's
        let_through(failure)
        text = ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__

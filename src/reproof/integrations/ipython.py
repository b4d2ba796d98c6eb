"""Magics for notebooks: ``%load_ext reproof`` brings ``%%reproof record FOLDER`` and ``%reproof compare A B``.

A cell is recorded in the kernel that the user works in, as `reproof.record` does it. To run a whole notebook in fresh
kernels: ``reproof check train.ipynb``.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any, Final

from reproof.comparison import compare
from reproof.errors import ReproofError, UsageError
from reproof.recorder import record
from reproof.recorder.problems import describe_error
from reproof.schema import LEVELS

if TYPE_CHECKING:
    from reproof.schema import Comparison, Level

USAGE: Final = "%%reproof record [--force] [--level LEVEL] FOLDER, with a cell below; or %reproof compare A B"


def load_ipython_extension(shell: Any) -> None:
    """Add the magics to IPython, which calls this for ``%load_ext reproof``."""

    def reproof(line: str, cell: str | None = None) -> Comparison | None:
        """Record a cell, or compare two recordings."""
        try:
            return run_magic(shell, line, cell)
        except ReproofError as error:  # shown as one line, as IPython shows its own
            from IPython.core.error import UsageError as ShownError

            raise ShownError(str(error)) from None

    shell.register_magic_function(reproof, "line_cell", "reproof")


def run_magic(shell: Any, line: str, cell: str | None) -> Comparison | None:
    """Carry out a magic.

    `line` is what follows ``reproof``, `cell` what stands below, or None. Raises UsageError if it asks for something
    else than there is.
    """
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise UsageError(f"%reproof {line}: {error}", f"write {USAGE}") from None
    if words[:1] == ["compare"] and len(words) == 3 and cell is None:  # noqa: PLR2004  # a pair
        return compare(words[1], words[2])
    if words[:1] == ["record"] and cell is not None:
        record_cell(shell, words[1:], cell)
        return None
    raise UsageError(f"%reproof {line}".rstrip(), f"write {USAGE}")


def record_cell(shell: Any, words: list[str], cell: str) -> None:
    """Run a cell under a recording; one that fails leaves a trace that says so.

    Raises UsageError if an option is unknown.
    """
    level: Level = "steps"
    force = "--force" in words
    words = [word for word in words if word != "--force"]
    if "--level" in words[:-1]:
        at = words.index("--level")
        named = words[at + 1]
        level = next((known for known in LEVELS if known == named), level)
        if level != named:
            raise UsageError(f"level {named!r} is unknown", f"choose one of {', '.join(LEVELS)}")
        del words[at : at + 2]
    if len(words) != 1 or words[0].startswith("-"):
        raise UsageError(f"%%reproof record {' '.join(words)}".rstrip(), f"write {USAGE}")
    with record(words[0], level=level, force=force) as recording:
        result = shell.run_cell(cell)
        error = result.error_before_exec or result.error_in_exec
        if error is not None:
            recording.close("failed", f"the cell raised {describe_error(error)}")

"""Tell of experiments that failed where the runs of the user did not: with the error, and what to do.

Left out: runs that were killed, which leave no error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reproof.explain.laboratory import Trial

OUTSIDE: Final = (
    "experiments run in a copy of the folder and see the rest through links that cannot be written: check from the "
    "folder above that holds all the script reads and writes"
)
REMEDIES: Final = {
    "ModuleNotFoundError": "experiments import from a copy of the folder: check from the folder that holds the package",
    "FileNotFoundError": OUTSIDE,
    "PermissionError": OUTSIDE,
    "Read-only file system": OUTSIDE,
    "No space left": "free space for copies of the folder, or set TMPDIR to where there is more",
    "MemoryError": "end other programs, or look at fewer steps: --steps N",
}
"""What to do, by words of the error."""

ANY_REMEDY: Final = "see whether the script runs in a copy of its folder: reproof check --isolate"


def describe_failures(trials: Iterable[Trial]) -> tuple[str, ...]:
    """Return a note on each error by which experiments failed: the first of them, and what to do."""
    first: dict[str, Trial] = {}
    for trial in trials:
        if trial.failure is not None:
            first.setdefault(trial.failure, trial)
    return tuple(f"experiment {trial.number} failed: {error}; {choose_remedy(error)}" for error, trial in first.items())


def choose_remedy(error: str) -> str:
    """Return what to do about an error that only experiments have."""
    return next((remedy for words, remedy in REMEDIES.items() if words in error), ANY_REMEDY)

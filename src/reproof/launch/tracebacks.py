"""Show an exception of the script as Python would, without the frames of reproof."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import types

OWN_FILES = f"{Path(__file__).parent.parent}{os.sep}"
"""How the paths of our files begin: their frames are not the script's."""


def show_exception(error: BaseException) -> None:
    """Show an exception through `sys.excepthook`, without the frames of reproof."""
    remove_own_frames(error)
    sys.last_type, sys.last_value, sys.last_traceback = type(error), error, error.__traceback__
    try:
        sys.excepthook(type(error), error, error.__traceback__)
    except Exception as second:  # noqa: BLE001  # whatever the script's hook may raise
        remove_own_frames(second)
        print("Error in sys.excepthook:", file=sys.stderr)  # noqa: T201  # what Python does
        sys.__excepthook__(type(second), second, second.__traceback__)
        print("\nOriginal exception was:", file=sys.stderr)  # noqa: T201  # what Python does
        sys.__excepthook__(type(error), error, error.__traceback__)


def remove_own_frames(error: BaseException | None) -> None:
    """Remove the frames of reproof from the tracebacks of an exception and of its causes and contexts.

    Effects: changes the `__traceback__` of each of them.
    """
    waiting, seen = [error], set[int]()
    while waiting:
        error = waiting.pop()
        if error is None or id(error) in seen:
            continue
        seen.add(id(error))
        error.__traceback__ = _without_own_frames(error.__traceback__)
        waiting += [error.__cause__, error.__context__]


def _without_own_frames(trace: types.TracebackType | None) -> types.TracebackType | None:
    kept: list[types.TracebackType] = []
    while trace is not None:
        path = trace.tb_frame.f_code.co_filename
        # What finds a module for `-m` comes first, then the module; Python does not show it either.
        if not path.startswith(OWN_FILES) and (kept or not path.startswith("<frozen importlib")):
            kept.append(trace)
        trace = trace.tb_next
    for i, part in enumerate(kept):
        part.tb_next = kept[i + 1] if i + 1 < len(kept) else None
    return kept[0] if kept else None

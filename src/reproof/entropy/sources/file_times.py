"""Tap the times of files: a file that a run writes carries the clock of that run.

Seen are the functions that return nothing else (`os.path.getmtime`), and `stat` where the user's own line calls it.
Left out: listings of other programs, and archives that hold times.
"""

from __future__ import annotations

import os
import pathlib
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, cast

from reproof.entropy.interception import Tap
from reproof.entropy.replacing import replace_function, replace_method, share_abilities
from reproof.entropy.sources.clocks import NANOSECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from reproof.entropy.interception import Interceptor

TIMES: Final = ("st_atime", "st_mtime", "st_ctime")
"""Attributes of a `stat_result` that are read from the clock, each with a twin in nanoseconds."""

read_times: Final = attrgetter(*(f"{name}_ns" for name in TIMES))
NUM_PLAIN: Final = 7
"""Entries of a `stat_result` before the three times in whole seconds."""


def install(interceptor: Interceptor) -> None:
    """Tap these functions. Effects: replaces functions of `os` and `os.path`, and methods of `Path` and `DirEntry`."""
    for name in TIMES:
        tap_getter(interceptor, f"get{name.removeprefix('st_')}", attrgetter(name), os.stat)
    for name in ("stat", "lstat", "fstat"):
        setattr(os, name, tap_status(interceptor, f"os.{name}", getattr(os, name), "os"))
    for name in ("stat", "lstat"):
        replace_function(pathlib.Path, name, tap_status(interceptor, f"Path.{name}", getattr(pathlib.Path, name)))
    entry_stat = os.DirEntry.stat

    def stat(entry: Any, *, follow_symlinks: bool = True) -> os.stat_result:
        return entry_stat(entry, follow_symlinks=follow_symlinks)

    replace_method(os.DirEntry, "stat", tap_status(interceptor, "os.DirEntry.stat", stat))


def tap_getter(
    interceptor: Interceptor, name: str, read: Callable[[Any], float], stat: Callable[[Any], os.stat_result]
) -> None:
    """Tap a function of `os.path` that returns one time; it takes the status past the tap of `os.stat`."""

    def get(filename: Any) -> float:
        return read(stat(filename))

    get.__name__ = get.__qualname__ = name
    tap = Tap(source=f"os.path.{name}", kind="wall-clock", libraries=False)
    replace_function(os.path, name, interceptor.tap(get, tap))


def tap_status(interceptor: Interceptor, source: str, original: Callable[..., Any], home: str | None = None) -> Any:
    """Return what is to be put in the place of a function that returns a `stat_result`."""

    def decode(times: list[int], *args: Any, **kwargs: Any) -> os.stat_result:
        return set_times(original(*args, **kwargs), times)

    tap = Tap(source=source, kind="wall-clock", libraries=False, encode=read_times, decode=decode)
    tapped = interceptor.tap(original, tap, home)
    share_abilities(original, tapped)
    return tapped


def set_times(status: os.stat_result, times: list[int]) -> os.stat_result:
    """Return a copy with other times, each in nanoseconds."""
    plain, named = cast("tuple[tuple[int, ...], dict[str, Any]]", status.__reduce__()[1])  # and those that it lacks
    changed: dict[str, Any] = {}
    seconds = []
    for name, nanoseconds in zip(TIMES, times, strict=True):
        whole, rest = divmod(nanoseconds, NANOSECONDS)
        seconds.append(whole)
        changed |= {name: whole + 1e-9 * rest, f"{name}_ns": nanoseconds}  # as CPython adds them, to the bit
    return os.stat_result((*plain[:NUM_PLAIN], *seconds), {**named, **changed})

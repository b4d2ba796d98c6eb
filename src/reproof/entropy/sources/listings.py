"""Tap the order in which folders are listed: the file system's own, which no two machines share.

`glob`, `pathlib`, `os.walk` and what is built on them list through `os.listdir` and `os.scandir`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from reproof.entropy.interception import Tap
from reproof.entropy.replacing import replace_function

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reproof.entropy.interception import Interceptor

EVERYTHING: Final = frozenset({"*"})


class Scan:
    """The entries of a folder, as `os.scandir` hands them out: an iterator and a context manager."""

    def __init__(self, entries: list[Any]) -> None:
        """Hand out these entries."""
        self.entries = entries
        self._iterator = iter(entries)

    def __iter__(self) -> Iterator[Any]:
        """Return itself."""
        return self

    def __next__(self) -> Any:
        """Return the next entry."""
        return next(self._iterator)

    def __enter__(self) -> Scan:  # noqa: PYI034  # not meant to be derived from
        """Return itself."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """End the listing: nothing more is handed out."""
        self._iterator = iter(())


def install(interceptor: Interceptor) -> None:
    """Tap the two functions. Effects: replaces `os.listdir` and `os.scandir`."""
    listdir, scandir = os.listdir, os.scandir
    is_reversed = interceptor.plan.reverses_listings

    def list_names(path: Any = ".") -> list[Any]:
        names = listdir(path)
        return names[::-1] if is_reversed else names

    def scan(path: Any = ".") -> Scan:
        with scandir(path) as found:
            entries = list(found)
        return Scan(entries[::-1] if is_reversed else entries)

    tap = Tap(
        source="os.listdir",
        kind="listing-order",
        python=EVERYTHING,
        encode=lambda names: [os.fsdecode(name) for name in names],
        decode=lambda order, path=".": arrange(listdir(path), order, os.fsdecode),
    )
    replace_function(os, "listdir", interceptor.tap(list_names, tap))
    tap = Tap(
        source="os.scandir",
        kind="listing-order",
        python=EVERYTHING,
        encode=lambda found: [os.fsdecode(entry.name) for entry in found.entries],
        decode=lambda order, path=".": Scan(arrange(scan(path).entries, order, lambda entry: os.fsdecode(entry.name))),
    )
    replace_function(os, "scandir", interceptor.tap(scan, tap))


def arrange(items: list[Any], order: list[str], name_of: Callable[[Any], str]) -> list[Any]:
    """Return what is there in an earlier order; what was not there then comes last."""
    ranks = {name: rank for rank, name in enumerate(order)}
    return sorted(items, key=lambda item: ranks.get(name_of(item), len(ranks)))

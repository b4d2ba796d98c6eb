"""How each tap is put in: one row in the table of its wing (`sources/table.py`, `races/table.py`, ...)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import wrapt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Need = Literal["interceptor", "generators", "workers"]
"""What the taps of a process share: the ledger and what is replayed, the global generators, names for threads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One function that puts taps in.

    Attributes:
        install: Replaces functions for the life of the process.
        needs: What it is called with, in this order.
        after: Module that must be imported first, and is its last argument; None for what is always there.
    """

    install: Callable[..., None]
    needs: tuple[Need, ...] = ("interceptor",)
    after: str | None = None


def install_rows(rows: Iterable[Row], shared: Mapping[Need, Any]) -> None:
    """Put in the taps of some rows, in their order: at once, or as soon as the module is imported that they tap.

    Effects: as those of the functions that the rows name.
    """
    for row in rows:
        install = partial(row.install, *(shared[need] for need in row.needs))
        if row.after is None:
            install()
        else:
            wrapt.when_imported(row.after)(install)

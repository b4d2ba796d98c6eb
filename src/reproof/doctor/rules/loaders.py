"""Settings of a DataLoader that let its workers decide."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from reproof.doctor.program.catalogue import LOADER
from reproof.doctor.rules.report import make_finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reproof.doctor.program.flow import CallSite
    from reproof.doctor.program.reading import Reading
    from reproof.doctor.records import Finding


def find(reading: Reading) -> Iterator[Finding]:
    """Yield what the loaders of a script are told wrongly."""
    for site in reading.calls:
        if site.name == LOADER and count_workers(reading, site) != 0:
            yield from _check_order(reading, site)
            yield from _check_epochs(reading, site)


def count_workers(reading: Reading, site: CallSite) -> int | None:
    """Return the number of workers of a loader, or None if the script does not fix it."""
    count = reading.constants.argument(site.call, "num_workers", 5, site.scope, default=0)
    return count if isinstance(count, int) else None


def _check_order(reading: Reading, site: CallSite) -> Iterator[Finding]:
    if reading.constants.argument(site.call, "in_order", None, site.scope, default=True) is False:
        yield make_finding(
            "concurrency",
            site.call,
            site.scope,
            "in_order=False hands out batches in the order in which workers get them ready",
            "leave in_order=True",
        )


def _check_epochs(reading: Reading, site: CallSite) -> Iterator[Finding]:
    """Report workers that outlive an epoch and are never told that a new one began."""
    persistent = reading.constants.argument(site.call, "persistent_workers", None, site.scope, default=False)
    data = site.call.args[0] if site.call.args else None
    owner = None if data is None else reading.inference.class_of(data, site.scope)
    if persistent is not True or owner is None or count_workers(reading, site) is None:
        return
    setter = reading.names.find_method(owner, "set_epoch")
    if setter is None or not _only_sets_attributes(setter):
        return
    for other in reading.calls:
        if other.target is setter:
            yield make_finding(
                "worker-count",
                other.call,
                other.scope,
                "persistent workers keep their first copy of the data set and never see this epoch; without workers "
                "it is seen, so the number of workers changes the training",
                "persistent_workers=False, or keep the epoch in a tensor with share_memory_()",
            )


def _only_sets_attributes(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a method does nothing but give plain attributes a value, which no other process can see."""
    body = [item for item in function.body if not (isinstance(item, ast.Expr) and isinstance(item.value, ast.Constant))]
    return all(isinstance(item, ast.Assign) and isinstance(item.targets[0], ast.Attribute) for item in body)

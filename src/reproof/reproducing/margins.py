"""The margins of a reference: how large a shift of the mean does not matter, chosen before anything is reproduced."""

from __future__ import annotations

import math
from statistics import stdev
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reproof.bundle.records import Metrics, Replicate

MARGIN_FACTOR: Final = 1.5
"""A margin that nobody has chosen is so many standard deviations of the fresh-seed replicates."""


def propose_margins(replicates: Sequence[Replicate], factor: float = MARGIN_FACTOR) -> Metrics:
    """Return margins for a user who has chosen none: a multiple of the replicates' standard deviation.

    A metric that is not finite in every replicate gets no margin, and with a single replicate none does.
    """
    margins: Metrics = {}
    for target, name, _ in list_values(replicates[0].metrics) if len(replicates) > 1 else []:
        values = collect_values((replicate.metrics for replicate in replicates), target, name)
        if all(map(math.isfinite, values)):
            margins.setdefault(target, {})[name] = factor * stdev(values)
    return margins


def complete_margins(chosen: Metrics, replicates: Sequence[Replicate]) -> Metrics:
    """Return the margins that the user has chosen, with proposed ones for the metrics he has left out."""
    margins = {target: dict(values) for target, values in propose_margins(replicates).items()}
    for target, name, margin in list_values(chosen):
        margins.setdefault(target, {})[name] = margin
    return margins


def list_values(metrics: Metrics) -> list[tuple[str, str, float]]:
    """Return metrics as (target, metric, value), in their order."""
    return [(target, name, value) for target, values in metrics.items() for name, value in values.items()]


def collect_values(runs: Iterable[Metrics], target: str, name: str) -> list[float]:
    """Return one metric of many runs; NaN for a run that lacks it."""
    return [run.get(target, {}).get(name, math.nan) for run in runs]

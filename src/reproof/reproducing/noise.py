"""Test whether a difference is rounding: the losses of the first steps and the metrics, against perturbation runs.

Early steps distinguish rounding (a few ulp) from a changed hyper-parameter (1e-6 and more) and from another order or
seed (1e-2 and more); hundreds of steps later all of them look alike. How fast rounding grows depends on the training,
so it is measured there: a run in which one weight was moved by one ulp stands for any rounding difference (Summers &
Dinneen, ICML 2021, arXiv:2103.04514), as in the ensemble test of a climate model (Milroy et al.,
doi:10.5194/gmd-11-697-2018).
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reproof.bundle.records import NUM_KEPT_LOSSES

if TYPE_CHECKING:
    from collections.abc import Sequence

EARLY_STEPS: Final = NUM_KEPT_LOSSES
"""Losses of so many steps are compared: later, a changed learning rate is no longer told from rounding."""

NUM_ULP: Final = 8
WORST_FACTOR: Final = 10
MIN_PERTURBATIONS: Final = 5

SINGLE_BITS: Final = 24
DOUBLE_BITS: Final = 53
"""Bits of the significand of IEEE 754 binary32 and binary64."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlyLosses:
    """How the losses of the first steps compare.

    Attributes:
        num_steps: Steps that both runs have and that were compared.
        step: The first step whose losses differ by more than is allowed, or None.
        allowed: What is allowed at that step; else at the last one.
    """

    num_steps: int
    step: int | None
    difference: float
    allowed: float

    @property
    def is_within(self) -> bool:
        """Whether no step differs by more than is allowed, and there was one."""
        return self.step is None and self.num_steps > 0


def compare_early_losses(
    original: Sequence[float], reproduced: Sequence[float], perturbed: Sequence[Sequence[float]]
) -> EarlyLosses:
    """Compare losses step by step with the worst that rounding did to any perturbation run up to that step.

    At each step, max(8 ulp, 10 times the worst) is allowed, relative to the larger of the two losses. A run that has
    fewer early steps than the other differs, infinitely, in the first that it lacks; where one side has no losses at
    all, nothing is compared.
    """
    first, second = original[:EARLY_STEPS], reproduced[:EARLY_STEPS]
    if not (first and second):
        return EarlyLosses(num_steps=0, step=None, difference=0.0, allowed=0.0)
    floor = NUM_ULP * 2.0 ** (1 - find_precision([*first, *second]))
    largest = worst = 0.0
    for step in range(max(len(first), len(second))):
        worst = max([worst, *_differences_at(step, first, perturbed)])
        allowed = max(floor, WORST_FACTOR * worst)
        difference = _difference_at(step, first, second)
        largest = max(largest, difference)
        if not difference <= allowed:
            return EarlyLosses(num_steps=step + 1, step=step, difference=difference, allowed=allowed)
    return EarlyLosses(num_steps=len(first), step=None, difference=largest, allowed=max(floor, WORST_FACTOR * worst))


def find_precision(values: Sequence[float]) -> int:
    """Return the bits of the significand that values were computed with: single if single holds all of them.

    Half precision counts as single: its rounding is then allowed for by the perturbation runs alone.
    """
    return SINGLE_BITS if all(map(_is_single, values)) else DOUBLE_BITS


def _is_single(value: float) -> bool:
    if not math.isfinite(value):
        return True
    try:
        return bool(struct.unpack("<f", struct.pack("<f", value))[0] == value)
    except OverflowError:
        return False


def _differences_at(step: int, first: Sequence[float], perturbed: Sequence[Sequence[float]]) -> list[float]:
    """Return what rounding did at a step; a perturbation run that overflowed there does not count."""
    return [d for losses in perturbed if math.isfinite(d := _difference_at(step, first, losses))]


def _difference_at(step: int, first: Sequence[float], second: Sequence[float]) -> float:
    """Return the relative difference at a step; infinite where one is lacking."""
    if step >= min(len(first), len(second)):
        return math.inf
    return relative_difference(first[step], second[step])


def relative_difference(first: float, second: float) -> float:
    """Return a difference relative to the larger of the two; 0 for two NaNs, infinite where one is not finite."""
    if first == second or (math.isnan(first) and math.isnan(second)):
        return 0.0
    is_finite = math.isfinite(first) and math.isfinite(second)
    return abs(first - second) / max(abs(first), abs(second)) if is_finite else math.inf

"""Tell from one run whether a difference is rounding: it begins at a few ulp and grows step by step, without a jump.

Two runs of one program that round differently have the same losses at first, up to a few units in the last place; each
step can multiply what differs, within a bound. A setting that is another, or other data, makes the losses jump when it
first takes effect, from nothing or from the last bits. The bound is measured (`benchmarks/one_run.py`). A change that
is as small as rounding itself passes it, which is why code, data and configuration are compared before.

Left out: how far rounding takes *this* training (`noise`), for which it must run several times.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from reproof.reproducing.noise import NUM_ULP, find_precision, relative_difference

if TYPE_CHECKING:
    from collections.abc import Sequence

GROWTH: Final = 2.0
"""So many times what has differed until then may differ in the next step."""

END_FACTOR: Final = 1000.0
"""So many times the largest relative difference of any loss may the metrics differ at the end: under batch
normalisation weights that no loss depends on wander, and means over a run follow them late."""

CEILING: Final = 1e-3
"""A difference that has grown so large tells nothing from one run, however it has come about."""

MIN_STEPS: Final = 10
"""Fewer losses show no growth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """How the losses of a run part from those of another.

    Attributes:
        step: The first step at which they jump, or None.
        difference: The relative difference there; else the largest of all.
        allowed: What is allowed there; else at the end.
        beyond: The first metric that is further apart at the end, as ``name of target``; empty for none.
        furthest: The largest relative difference of a metric.
    """

    num_steps: int
    step: int | None = None
    difference: float = 0.0
    allowed: float = 0.0
    beyond: str = ""
    furthest: float = 0.0

    def describe(self) -> str:
        """Say in words what was found."""
        if self.step is not None:
            return (
                f"from one run: the losses of step {self.step} differ by {self.difference:.1e} of their size, and "
                f"rounding may make {self.allowed:.1e} there by what had differed before"
            )
        if self.beyond:
            return f"from one run: {self.beyond} differs by more than rounding may make of it ({self.allowed:.1e})"
        return (
            f"equivalent (numerically), from one run: the losses of {self.num_steps} steps differ by at most "
            f"{self.difference:.1e}, in no step by more than {GROWTH:g} times what had differed before (at first: "
            f"{NUM_ULP} ulp), and the metrics by at most {self.furthest:.1e} (allowed: {self.allowed:.1e}); "
            "`reproof replicate` for more"
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "num_steps": self.num_steps,
            "step": self.step,
            "difference": self.difference,
            "allowed": self.allowed,
            "beyond": self.beyond,
            "furthest": self.furthest,
        }

    @property
    def is_within(self) -> bool:
        """Whether the whole run looks like rounding."""
        return self.num_steps >= MIN_STEPS and self.step is None and not self.beyond


def judge_growth(
    original: Sequence[float],
    reproduced: Sequence[float],
    metrics: Sequence[tuple[str, float, float]],
    *,
    growth: float = GROWTH,
    end_factor: float = END_FACTOR,
) -> Growth:
    """Follow the losses of two runs step by step, and their metrics at the end.

    A metric has a name, and its value in both; see `GROWTH` and `END_FACTOR`.
    """
    if len(original) != len(reproduced) or len(original) < MIN_STEPS:
        return Growth(num_steps=0)
    floor = NUM_ULP * 2.0 ** (1 - find_precision([*original, *reproduced]))
    largest = 0.0
    for step, (first, second) in enumerate(zip(original, reproduced, strict=True)):
        allowed, difference = min(CEILING, max(floor, growth * largest)), relative_difference(first, second)
        if not difference <= allowed:
            return Growth(num_steps=step + 1, step=step, difference=difference, allowed=allowed)
        largest = max(largest, difference)
    allowed = min(CEILING, end_factor * max(floor, largest))
    apart = [(relative_difference(first, second), name) for name, first, second in metrics]
    beyond = next((name for distance, name in apart if not distance <= allowed), "")
    furthest = max((distance for distance, _ in apart), default=math.inf)
    return Growth(num_steps=len(original), difference=largest, allowed=allowed, beyond=beyond, furthest=furthest)

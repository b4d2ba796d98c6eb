"""The evidence for a verdict and the verdict itself, as plain records."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from reproof.bundle.records import Metrics, Replicate
    from reproof.reproducing.growth import Growth
    from reproof.reproducing.noise import EarlyLosses
    from reproof.reproducing.statistics import EquivalenceTest, Interval

Verdict = Literal["identical", "equivalent", "not-reproduced", "not-comparable", "inconclusive"]
Tier = Literal["gates", "bits", "numerical", "statistical", "consistent", "none"]
"""Which test the verdict rests on; *consistent* and *none* go with *inconclusive* alone."""

GateState = Literal["same", "different", "unknown"]
Finding = Literal[
    "same", "within noise", "as rounding", "equivalent", "beyond margin", "consistent", "outside", "undecided"
]

EXIT_CODES: Final[dict[Verdict, int]] = {
    "identical": 0,
    "equivalent": 0,
    "not-reproduced": 1,
    "not-comparable": 2,
    "inconclusive": 2,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """Something that must be the same for two runs to be comparable: data, configuration, code.

    Attributes:
        name: What it is about.
        state: Whether it is the same; *unknown* where the original did not record it.
        detail: What differs, or why it is unknown.
        lines: How it differs, line by line, where both sides are at hand.
    """

    name: str
    state: GateState
    detail: str = ""
    lines: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"name": self.name, "state": self.state, "detail": self.detail, "lines": list(self.lines)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known of one side.

    Attributes:
        metrics: Of the run with the trial's own seed.
        seed: Its seed, or None if that is unknown.
        weights_digest: Canonical digest of its weights, or None.
        trace_digest: Digest of its trace (all that was recorded step by step), or None.
        losses: Losses of its first steps, in order.
        all_losses: Those of every step; empty where they are not asked for.
        replicates: On the side of the reproduction, runs with fresh seeds; on that of the original they are in the
            reference.
        has_same_streams: Whether a seed gives the same random numbers here as there (on the CPU it does; on GPUs of
            two models it does not), so that runs of the same seed can be compared in pairs.
    """

    metrics: Metrics
    seed: int | None = None
    weights_digest: str | None = None
    trace_digest: str | None = None
    losses: tuple[float, ...] = ()
    all_losses: tuple[float, ...] = ()
    replicates: tuple[Replicate, ...] = ()
    has_same_streams: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetRow:
    """One metric of one target.

    Attributes:
        original: Its value in the original run.
        reproduced: Its value in the run with the same seed.
        finding: What was found of it, by the test that decided.
        margin: Largest shift of the mean that does not matter, or None if there is none.
        noise: Prediction interval of the perturbation runs, if it was computed.
        expected: Prediction interval of the fresh-seed replicates, if it was computed.
        test: The equivalence test, if there was one.
        p_beyond: Its p value for "the shift exceeds the margin", corrected for all rows by Holm's method.
    """

    target: str
    metric: str
    original: float
    reproduced: float
    finding: Finding = "undecided"
    margin: float | None = None
    noise: Interval | None = None
    expected: Interval | None = None
    test: EquivalenceTest | None = None
    p_beyond: float | None = None

    @property
    def difference(self) -> float:
        """Reproduced minus original."""
        return self.reproduced - self.original

    @property
    def is_same(self) -> bool:
        """Whether both values are equal, or NaN."""
        return self.original == self.reproduced or (math.isnan(self.original) and math.isnan(self.reproduced))

    def to_json(self) -> dict[str, Any]:
        """Return plain values; NaN and infinities, which JSON lacks, become text."""
        values: dict[str, Any] = plain(
            {
                "target": self.target,
                "metric": self.metric,
                "original": self.original,
                "reproduced": self.reproduced,
                "difference": self.difference,
                "finding": self.finding,
                "margin": self.margin,
                "noise": _interval(self.noise),
                "expected": _interval(self.expected),
                "test": None if self.test is None else self._spell_test(self.test),
            }
        )
        return values

    def _spell_test(self, test: EquivalenceTest) -> dict[str, Any]:
        return {
            "design": test.design,
            "num_reference": test.num_reference,
            "num_reproduced": test.num_reproduced,
            "shift": test.shift,
            "interval": _interval(test.interval),
            "p_equivalent": test.p_equivalent,
            "p_beyond": self.p_beyond,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The verdict on a reproduction, and what it rests on.

    Attributes:
        tier: The test that it rests on.
        reasons: One line each, most important first.
        per_target: One row per target and metric.
        gates: What had to be the same.
        early_losses: How the first steps compare, if both runs have losses and the same seed.
        growth: How all steps compare, if a single run was to tell.
        replicates_needed: How many more fresh-seed runs of the reproduction would decide; None where that is not the
            question, or no reasonable number would.
    """

    verdict: Verdict
    tier: Tier
    reasons: tuple[str, ...]
    per_target: tuple[TargetRow, ...] = ()
    gates: tuple[Gate, ...] = field(default=())
    early_losses: EarlyLosses | None = None
    growth: Growth | None = None
    replicates_needed: int | None = None

    @property
    def is_from_one_run(self) -> bool:
        """Whether an equivalence rests on the losses of a single run."""
        return self.verdict == "equivalent" and self.growth is not None and self.growth.is_within

    @property
    def exit_code(self) -> int:
        """0 for identical and equivalent, 1 for not reproduced, 2 where no comparison could tell."""
        return EXIT_CODES[self.verdict]

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        early = self.early_losses
        return {
            "verdict": self.verdict,
            "tier": self.tier,
            "reasons": list(self.reasons),
            "per_target": [row.to_json() for row in self.per_target],
            "gates": [gate.to_json() for gate in self.gates],
            "early_losses": None
            if early is None
            else {
                "num_steps": early.num_steps,
                "step": early.step,
                "difference": plain(early.difference),
                "allowed": plain(early.allowed),
            },
            "growth": None if self.growth is None else plain(self.growth.to_json()),
            "replicates_needed": self.replicates_needed,
        }


def plain(value: Any) -> Any:
    """Return a value for JSON, which has no NaN or infinities: they become text."""
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _interval(interval: Interval | None) -> list[float] | None:
    return None if interval is None else [interval.low, interval.high]

"""The rows of a training that was made again from its bundle, or resumed: part of `records`."""

from __future__ import annotations

from dataclasses import dataclass

from reproof.environment import UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class SpreadRow:
    """Where the values of one metric lie, all of them finite.

    Attributes:
        original: In the bundle.
        reproduced: In the run with the same seed.
        margin: Largest shift that does not matter; None if there is none.
        replicates: In the bundle's runs with fresh seeds.
    """

    original: float
    reproduced: float
    margin: float | None
    replicates: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRow:
    """One metric of a bundle, as kept and as it came again.

    Attributes:
        original: Its value in the bundle.
        reproduced: Its value in the run with the same seed.
        finding: What was found of it, in one word.
        spread: Both among the replicates; None where one of them is not finite, or nothing tells what is large.
    """

    target: str
    metric: str
    original: str
    reproduced: str
    finding: str
    spread: SpreadRow | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateRow:
    """What a reproduction of a bundle has found.

    Attributes:
        name: Which bundle.
        path: Where the certificate is; empty if none was written.
        reasons: Why the verdict, one line each.
        gates: What had to be the same: name, state, detail.
        metrics: One row per target and metric.
        surroundings: Circumstances that differ, or are ``unknown`` on one side: name, in the bundle, here, how grave.
        num_same: How many are the same.
        kept: What an imported folder has kept: name, state, detail.
        never_kept: What it has not, as found in the run.
        restored: What was found, by experiment, to restore the bits.
    """

    name: str
    path: str
    reasons: tuple[str, ...]
    gates: tuple[tuple[str, str, str], ...]
    metrics: tuple[MetricRow, ...]
    surroundings: tuple[tuple[str, str, str, str], ...]
    num_same: int
    kept: tuple[tuple[str, str, str], ...]
    never_kept: tuple[str, ...]
    restored: tuple[str, ...]

    @property
    def differing(self) -> tuple[tuple[str, str, str, str], ...]:
        """Surroundings that are known on both sides and differ."""
        return tuple(row for row in self.surroundings if UNKNOWN not in row[1:3])

    @property
    def one_sided(self) -> tuple[tuple[str, str, str], ...]:
        """Those that are known on one side alone: name, in the bundle, here."""
        return tuple(row[:3] for row in self.surroundings if UNKNOWN in row[1:3])


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingRow:
    """A piece of state that a resumed training lacks.

    Attributes:
        words: The kind in words.
        why: How that is known.
        fix: What to write.
    """

    piece: str
    words: str
    why: str
    fix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeRow:
    """How a training was interrupted and resumed, as `ResumeFinding` of `reproof.checking` tells it."""

    interrupted_at: int | None
    continues_at: int | None
    num_restored: int
    missing: tuple[MissingRow, ...]

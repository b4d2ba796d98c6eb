"""An operation computes otherwise in varied surroundings: with other threads, or on another kind of processor."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from reproof.entropy.plan import Plan
from reproof.explain.hypotheses.hypothesis import Hypothesis
from reproof.explain.inquiry import window_of
from reproof.explain.suspects import VARIATION
from reproof.schema import Probes

if TYPE_CHECKING:
    from reproof.explain.inquiry import Inquiry
    from reproof.explain.laboratory import Trial
    from reproof.explain.suspects import Suspect
    from reproof.schema import Cause

ARITHMETIC: Final = frozenset({f"{VARIATION}threads", f"{VARIATION}cpu-isa"})
"""Variations that change how operations compute: they are traced to the operation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Varied:
    """A variation that makes the run diverge, and the experiment that shows it."""

    suspect: Suspect
    trial: Trial


class VariedOperation(Hypothesis[Varied]):
    """One of the variations of the candidate changes what an operation computes."""

    def applies(self, inquiry: Inquiry) -> bool:
        """Whether the candidate ran under such a variation, and the divergence is gone without it."""
        return inquiry.agrees(inquiry.replica) and any(s.key in ARITHMETIC for s in inquiry.suspects)

    def experiments(self, inquiry: Inquiry) -> Varied | None:
        """Replay everything under each variation, until a run diverges from the replica."""
        for suspect in inquiry.suspects:
            if suspect.key in ARITHMETIC:
                trial = inquiry.laboratory.run(
                    f"everything replayed, {suspect.source} varied",
                    Plan(baseline=inquiry.baseline),
                    num_steps=inquiry.num_steps,
                    variations=(suspect.source,),
                    probes=Probes(ops_steps=window_of(inquiry.step), keeps_op_values=True),
                    compare_with=inquiry.replica.trace,
                )
                if not trial.agrees_through(inquiry.step):
                    inquiry.removals.add(suspect)
                    return Varied(suspect=suspect, trial=trial)
        return None

    def causes(self, inquiry: Inquiry, found: Varied) -> list[Cause]:
        """Name the operation at which the runs part, or the variation if none was recorded."""
        suspect, trial = found.suspect, found.trial
        op = trial.first.op if trial.first is not None else None
        told = (
            f"with everything replayed, {suspect.source} varied, the run diverges "
            f"(experiment {trial.number}), which is identical without it (experiment {inquiry.replica.number})"
        )
        if op is None:
            return [inquiry.name(suspect, told)]
        suspect = replace(suspect, source=op.name, file=op.file or None, line=op.line or None)
        return [inquiry.name(suspect, f"{told}: {op.explanation}")]

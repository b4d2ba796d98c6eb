"""A call of the user's code gives another result for the same inputs, and no tap sees why: the source is inside it.

One run notes what calls are given and return. A second one finds where results differ though the inputs agree, and puts
those of the first in their place as it goes: if it then is identical to the first, the difference came in there. Of
several such places as few are sought as explain it, each time with these alone put in place.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reproof.entropy.calls.records import FOLDER, Spot, read_findings
from reproof.entropy.plan import Plan
from reproof.explain.hypotheses.hypothesis import Hypothesis
from reproof.explain.hypotheses.operations import is_uninitialized
from reproof.explain.minimize import minimize
from reproof.explain.suspects import Suspect

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reproof.entropy.calls.records import Finding
    from reproof.explain.inquiry import Inquiry
    from reproof.explain.laboratory import Trial
    from reproof.schema import Cause

MAX_SINGLE: Final = 3
"""So many places are tried one by one where a run does not bear all of them."""


DRAWING: Final = ("random.Random.", "numpy.RandomState.", "numpy.Generator.")
"""How the names of calls begin that draw from a generator: one whose state has changed unseen is shared by tasks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The calls that explain a divergence, and the experiments.

    Attributes:
        findings: The calls, one for each place.
        noted: The run in which their results were noted.
        healed: The run in which they were put in place.
        is_confirmed: Whether that run is identical to the other one.
    """

    findings: tuple[Finding, ...]
    noted: Trial
    healed: Trial
    is_confirmed: bool


class UnseenSource(Hypothesis[Found]):
    """A difference comes in through a call, from compiled code or another process."""

    def applies(self, inquiry: Inquiry) -> bool:
        """Whether the divergence is there although everything is replayed."""
        return not inquiry.replica.agrees_through(inquiry.step)

    def experiments(self, inquiry: Inquiry) -> Found | None:
        """Note the calls of one run, and put their results in place in another; then as few as are needed."""
        if is_uninitialized(inquiry):
            return None
        noted = inquiry.laboratory.run(
            "everything replayed, calls of the script noted",
            Plan(baseline=inquiry.baseline, watches_calls=True),
            num_steps=inquiry.num_steps,
        )
        try:
            if noted.problem is not None or noted.agrees_through(inquiry.step):
                return None
            return heal_all(inquiry, noted)
        finally:
            shutil.rmtree(noted.trace / FOLDER, ignore_errors=True)

    def causes(self, inquiry: Inquiry, found: Found) -> list[Cause]:
        """Name the lines of the calls."""
        return [self._name(inquiry, found, finding) for finding in found.findings]

    @staticmethod
    def _name(inquiry: Inquiry, found: Found, finding: Finding) -> Cause:
        spot = Spot.read(finding.spot)
        same = "the same inputs" if finding.is_whole else "inputs that agree as far as they can be looked into"
        where = f"{spot.text} gave another result for {same}"
        if not finding.is_origin:
            where = f"{spot.text} is the first call whose result differs, and what it was given has changed unseen"
        step, noted, healed = inquiry.step, found.noted.number, found.healed.number
        others = "" if len(found.findings) == 1 else " (with those of the other causes)"
        told = (
            f"with its result of experiment {noted} put in place{others} the run is identical to that one through step "
            f"{step} (experiment {healed})"
            if found.is_confirmed
            else f"its result of experiment {noted} could not be put in place (experiment {healed})"
        )
        is_shared = not finding.is_origin and finding.source.startswith(DRAWING)
        suspect = Suspect(
            key=f"call@{spot.file}:{spot.line}",
            kind="concurrency" if is_shared else "unseen-source",
            source=finding.source,
            file=spot.file,
            line=spot.line,
        )
        evidence = f"with everything replayed, {where}; {told}"
        return inquiry.name(suspect, evidence, is_confirmed=found.is_confirmed)


def heal_all(inquiry: Inquiry, noted: Trial) -> Found | None:
    """Put all results in place that differ, then as few as are needed; None if no call explains the divergence."""
    whole = heal(inquiry, noted, None)
    if whole.problem is not None:
        return heal_single(inquiry, noted)
    findings = choose(read_findings(whole.trace))
    healed = tuple(one for one in findings if one.is_healed)
    if not whole.agrees_through(inquiry.step):
        named = next((one for one in reversed(findings) if one.is_origin and not one.is_healed), None)
        return None if named is None else Found(findings=(named,), noted=noted, healed=whole, is_confirmed=False)
    if not healed:
        return None
    trials = {healed: whole}

    def explains(chosen: tuple[Finding, ...]) -> bool:
        trial = trials[chosen] = heal(inquiry, noted, chosen)
        return trial.agrees_through(inquiry.step)

    needed = minimize(healed, explains)
    return Found(findings=needed, noted=noted, healed=trials.get(needed, whole), is_confirmed=True)


def heal_single(inquiry: Inquiry, noted: Trial) -> Found | None:
    """Compare alone, then put one result in place at a time: with all of them the run does not come to its end."""
    compared = heal(inquiry, noted, ())
    origins = [one for one in choose(read_findings(compared.trace)) if one.is_origin]
    for one in origins[:MAX_SINGLE]:
        trial = heal(inquiry, noted, (one,))
        if trial.agrees_through(inquiry.step):
            return Found(findings=(one,), noted=noted, healed=trial, is_confirmed=True)
    return Found(findings=(origins[-1],), noted=noted, healed=compared, is_confirmed=False) if origins else None


def heal(inquiry: Inquiry, noted: Trial, chosen: tuple[Finding, ...] | None) -> Trial:
    """Run with everything replayed, and the results of an earlier run put in place: of some spots, or of all."""
    spots = None if chosen is None else tuple(one.spot for one in chosen)
    if chosen is None:
        told = "their results put in place where they differ"
    else:
        told = f"the results put in place of {', '.join(map(tell, chosen)) or 'none'}"
    return inquiry.laboratory.run(
        f"everything replayed, calls of the script compared, {told}",
        Plan(baseline=inquiry.baseline, watches_calls=True, calls_of=str(noted.trace), heals=spots),
        num_steps=inquiry.num_steps,
        compare_with=noted.trace,
    )


def tell(finding: Finding) -> str:
    """Return a call with its place, in words."""
    spot = Spot.read(finding.spot)
    return f"{spot.text} at {spot.file}:{spot.line}"


def choose(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return one finding for each spot, likeliest first: origins, later ones first, before what may follow from them.

    What follows from an origin that was put in place agrees again; so that where any was, the first of what follows
    stands for a change that no call has shown.
    """
    origins: dict[str, Finding] = {}
    others: dict[str, Finding] = {}
    for one in findings:
        (origins if one.is_origin else others).setdefault(one.spot, one)
    first = [one for spot, one in others.items() if spot not in origins]
    return (*reversed(origins.values()), *first)

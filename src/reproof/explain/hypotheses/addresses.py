"""Objects are ordered by where they lie in memory: by `id`, or as members of a set that hashes them by address."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from reproof.entropy.ledger import read_ledgers
from reproof.entropy.plan import Plan
from reproof.explain.hypotheses.hypothesis import Hypothesis
from reproof.explain.suspects import Suspect, collect_suspects

if TYPE_CHECKING:
    from reproof.explain.inquiry import Inquiry
    from reproof.explain.laboratory import Trial
    from reproof.schema import Cause

BY_ADDRESS: Final = ("id@", "set@")
"""How the keys of places begin at which objects are ordered by their addresses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned:
    """Two runs with fixed addresses that are identical, and the place whose order matters."""

    one: Trial
    two: Trial
    place: Suspect


class Addresses(Hypothesis[Pinned]):
    """The order of addresses reaches the training."""

    def applies(self, inquiry: Inquiry) -> bool:
        """Whether the replica ordered objects by their addresses."""
        return bool(find_places(inquiry))

    def experiments(self, inquiry: Inquiry) -> Pinned | None:
        """Fix the addresses, twice; then give one place after the other another order, until the run diverges."""
        plan = Plan(baseline=inquiry.baseline, watches_orders=True, pins_addresses=True)
        told = "everything replayed, objects at fixed addresses"
        run, num_steps = inquiry.laboratory.run, inquiry.num_steps
        one = run(told, plan, num_steps=num_steps)
        two = run(f"as experiment {one.number}, once more", plan, num_steps=num_steps, compare_with=one.trace)
        if not two.agrees_through(inquiry.step):
            return None
        places = find_places(inquiry)
        for place in places if len(places) > 1 else ():
            trial = run(
                f"{told}, another order at {place.file}:{place.line}",
                replace(plan, perturbs=(place.key,)),
                num_steps=num_steps,
                compare_with=one.trace,
            )
            if not trial.agrees_through(inquiry.step):
                return Pinned(one=one, two=two, place=place)
        return Pinned(one=one, two=two, place=places[0])

    def causes(self, inquiry: Inquiry, found: Pinned) -> list[Cause]:
        """Name the place whose order matters; the first, if no other order makes a difference at any alone."""
        evidence = (
            f"two runs with everything replayed and objects at fixed addresses are identical through step "
            f"{inquiry.step} (experiments {found.one.number} and {found.two.number}); with everything replayed but "
            "addresses as they come they differ"
        )
        return [inquiry.name(found.place, evidence)]


def find_places(inquiry: Inquiry) -> list[Suspect]:
    """Return the places at which the replica ordered objects by their addresses."""
    suspects = collect_suspects(read_ledgers(inquiry.replica.trace), {}, inquiry.step, inquiry.first.label)
    return [s for s in suspects if s.kind == "process-identity" and s.key.startswith(BY_ADDRESS)]

"""A file outside of the working folder was left there by an earlier run: no copy of the folder takes it away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reproof.entropy.ledger import read_ledgers
from reproof.entropy.plan import Plan
from reproof.explain.hypotheses.hypothesis import Hypothesis
from reproof.explain.leftovers import collect_leftovers
from reproof.explain.minimize import minimize
from reproof.explain.suspects import Suspect, rank

if TYPE_CHECKING:
    from reproof.explain.inquiry import Inquiry
    from reproof.explain.laboratory import Trial
    from reproof.schema import Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Hidden:
    """The lines whose files must be hidden, and the experiment in which they were."""

    suspects: tuple[Suspect, ...]
    trial: Trial


class FilesOutside(Hypothesis[Hidden]):
    """The replica found such a file."""

    def applies(self, inquiry: Inquiry) -> bool:
        """Whether the replica does not agree, and read such files."""
        return not inquiry.replica.agrees_through(inquiry.step) and bool(collect_outside(inquiry))

    def experiments(self, inquiry: Inquiry) -> Hidden | None:
        """Hide all of them, then as few as are needed."""
        found = collect_outside(inquiry)
        trials: dict[tuple[Suspect, ...], Trial] = {}

        def hides(chosen: tuple[Suspect, ...]) -> bool:
            trial = trials[chosen] = hide(inquiry, chosen)
            return trial.agrees_through(inquiry.step)

        if not hides(found):
            return None
        needed = minimize(found, hides)
        return Hidden(suspects=needed, trial=trials.get(needed) or trials[found])

    def causes(self, inquiry: Inquiry, found: Hidden) -> list[Cause]:
        """Name each line whose files must be hidden."""
        evidence = (
            f"with all else replayed the run is identical to the baseline through step {inquiry.step} when what an "
            f"earlier run left there is hidden (experiment {found.trial.number}), and diverges when it is not "
            f"(experiment {inquiry.replica.number})"
        )
        return [inquiry.name(suspect, evidence) for suspect in found.suspects]


def collect_outside(inquiry: Inquiry) -> tuple[Suspect, ...]:
    """Return the lines that read what an earlier run left outside of the folder, likeliest first."""
    found = collect_leftovers(read_ledgers(inquiry.replica.trace), None, inquiry.last_read_step)
    return tuple(rank(found, inquiry.step))


def hide(inquiry: Inquiry, chosen: tuple[Suspect, ...]) -> Trial:
    """Run with everything replayed, and the files of these suspects as if they were not there."""
    files = tuple(file for suspect in chosen for file in suspect.files)
    return inquiry.laboratory.run(
        f"everything replayed, hidden what an earlier run left outside of the folder: {', '.join(files)}",
        Plan(baseline=inquiry.baseline, since=inquiry.setting.since, hides=files),
        num_steps=inquiry.num_steps,
    )

"""Was a trial trained from its configuration alone, or from what earlier trials of its process left as well?

The trials before it are trained again first, in one process, as in the search: if that gives every bit of the bundle,
which a fresh process does not, they left something. What of the project's modules they changed is then set back after
them: if that gives the bits of the fresh process, it is what carries the state. Where the earlier trials are not
known, or too many, or where no two processes agree, the trial itself is trained again and again in one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reproof.bundle.config import read_seed, refuse_code
from reproof.bundle.records import EARLIER, Bundle
from reproof.errors import ReproofError
from reproof.reproducing.earlier import MAX_SINGLE
from reproof.reproducing.runs import repeats, train_again

if TYPE_CHECKING:
    from reproof.reproducing.job import Job
    from reproof.reproducing.runs import Rerun


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """A training that comes before the one that counts, in the same process.

    Attributes:
        number: Of the trial.
        config: Its configuration.
        num_epochs: Reports after which it ended, if it was pruned; None if it ran to its end.
    """

    number: int
    config: dict[str, Any]
    num_epochs: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"number": self.number, "config": self.config, "num_epochs": self.num_epochs}


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """State that earlier trials left.

    Attributes:
        names: What holds it, such as ``RNG of search.py:4``; empty if that is not known.
        reason: One sentence.
        experiments: What was run, and whether it gave the bits of the bundle.
    """

    names: tuple[str, ...]
    reason: str
    experiments: tuple[tuple[str, bool, float], ...]


def read_earlier(bundle: Bundle) -> tuple[Earlier, ...]:
    """Return the trials that the process of a bundle's trial had trained before, in their order; none if not known.

    Raises BundleError if a configuration names code; ValueError, TypeError, KeyError, AttributeError if it is
    malformed.
    """
    found = []
    for item in bundle.trial.details.get(EARLIER, {}).get("trainings", ()):
        refuse_code(item["config"], "an earlier trial")
        read_seed(item["config"], bundle.manifest.seed_key)
        epochs = item["num_epochs"]
        if not isinstance(item["number"], int) or not (epochs is None or isinstance(epochs, int)):
            raise TypeError(f"an earlier trial is {item!r:.60}")
        found.append(Earlier(number=item["number"], config=item["config"], num_epochs=epochs))
    return tuple(found)


def count_earlier(bundle: Bundle) -> int | None:
    """Return how many trials the process had trained before; None if the bundle does not tell."""
    count = bundle.trial.details.get(EARLIER, {}).get("count")
    return count if isinstance(count, int) else None


def find_carried(
    job: Job, rerun: Rerun, *, is_stable: bool, variables: dict[str, str | None], threads: int | None
) -> Carried | None:
    """Find out by experiment whether earlier trials left something to the bundle's; None if they did not.

    If stable, two runs in fresh processes give the same bits, so that processes can be compared. Variables and threads
    are as in the bundle. Effects: runs trainings, in two processes and one for each of a few objects.
    """
    if count_earlier(job.bundle) == 0:
        return None  # the first of its process
    try:
        earlier = read_earlier(job.bundle)
    except (ReproofError, ValueError, TypeError, KeyError, AttributeError):
        earlier = ()
    search = _Search(job, rerun, earlier, variables, threads)
    return (search.replay() if earlier and is_stable else None) or search.probe()


class _Search:
    """One search for carried state."""

    def __init__(
        self,
        job: Job,
        rerun: Rerun,
        earlier: tuple[Earlier, ...],
        variables: dict[str, str | None],
        threads: int | None,
    ) -> None:
        self._job = job
        self._rerun = rerun
        self._own = Earlier(number=job.bundle.trial.number or 0, config=job.bundle.config)
        self._before = earlier or (self._own,)
        self._variables = variables
        self._threads = threads
        self._experiments: list[tuple[str, bool, float]] = []

    def replay(self) -> Carried | None:
        """Train the earlier trials first: does that give the bits of the bundle, and what of it?"""
        after = self._train(f"{name_trials(self._before)} first", {"before": self._before})
        if not after.is_same:
            return None
        names = self._find_holder(after.result.changed) if after.result.changed else ()
        before = name_trials(self._before)
        by = (
            f"{tell(names)} had been changed by {before} of its process"
            if names
            else f"{before} of its process left state"
        )
        back = ("with that set back, every bit is that of a fresh process",) if names else ()
        shown = (f"with {before} trained before it in one process, every bit is the bundle's", *back)
        return self._explain(f"{self._claim()}: {by}", shown, names)

    def probe(self) -> Carried | None:
        """Train several times in one process: does the second training depend on the first, and by what?"""
        changed = self._train("twice in one process", {"before": (self._own,)}).result.changed
        if not changed:
            return None
        found = self._train(f"with {', '.join(changed)} set back", {"probe": changed}).result.probe
        if not (found.get("carries") and found.get("restored")):
            return None
        names = next(((name,) for name in changed if found.get(name)), changed)
        count = count_earlier(self._job.bundle)
        after = f" ({count} of them before this one)" if count else ""
        claim = f"{self._claim()}: {tell(names)} is changed by every training of a process{after} and read by the next"
        shown = (
            "in one process the second training gives other bits than the first",
            "with that set back, it gives the same",
        )
        return self._explain(claim, shown, names)

    def _claim(self) -> str:
        number = self._job.bundle.trial.number
        trial = "the trial" if number is None else f"trial {number}"
        if count_earlier(self._job.bundle) is None:
            return f"{trial} may not have been made from its configuration alone"
        return f"{trial} was not made from its configuration alone"

    def _explain(self, claim: str, shown: tuple[str, ...], names: tuple[str, ...]) -> Carried:
        reason = f"{claim}. Confirmed: {'; '.join(shown)}"
        return Carried(names=names, reason=reason, experiments=tuple(self._experiments))

    def _train(self, what: str, plan: dict[str, tuple[Any, ...]]) -> Rerun:
        number = len(self._experiments) + 1
        self._job.tell(f"does the training carry state? experiment {number}: {what}")
        before = [item.to_json() for item in plan.get("before", ())]
        spelled = {"before": before, "reset": list(plan.get("reset", ())), "probe": list(plan.get("probe", ()))}
        rerun = train_again(
            self._job, f"carried{number}", threads=self._threads, variables=self._variables, plan=spelled
        )
        self._experiments.append((what, rerun.is_same, rerun.result.seconds))
        return rerun

    def _find_holder(self, changed: tuple[str, ...]) -> tuple[str, ...]:
        """Return the objects which, set back, give the bits of a fresh process: one of them, or all together."""
        if not self._restores(changed):
            return ()
        if 1 < len(changed) <= MAX_SINGLE:
            return next(((name,) for name in changed if self._restores((name,))), changed)
        return changed

    def _restores(self, names: tuple[str, ...]) -> bool:
        rerun = self._train(f"with {', '.join(names)} set back", {"before": self._before, "reset": names})
        return repeats(self._rerun.result, rerun.result)


def tell(names: tuple[str, ...]) -> str:
    """Return names of places as text, such as ```RNG` of search.py:4``."""
    return ", ".join(f"`{name.replace(' of ', '` of ', 1)}" for name in names)


def name_trials(earlier: tuple[Earlier, ...]) -> str:
    """Return which trials, in words."""
    numbers = [item.number for item in earlier]
    if len(numbers) == 1:
        return f"trial {numbers[0]}"
    if numbers == list(range(numbers[0], numbers[-1] + 1)):
        return f"trials {numbers[0]} to {numbers[-1]}"
    return f"trials {', '.join(map(str, numbers))}"

"""Was a trial trained from its configuration alone, or from what earlier trials of its process left as well?

The trials before it are trained again first, in one process, as in the search: if that gives every bit of the bundle,
which a fresh process does not, they left something. What of the project's modules they changed is then set back after
them: if that gives the bits of the fresh process, it is what carries the state. Where the earlier trials are not
known, or too many, the trial itself is trained twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from reproof.bundle.config import read_seed, refuse_code
from reproof.bundle.records import EARLIER, Bundle
from reproof.errors import ReproofError
from reproof.reproducing.runs import repeats, train_again

if TYPE_CHECKING:
    from reproof.reproducing.job import Job
    from reproof.reproducing.runs import Rerun

MAX_SINGLE: Final = 4
"""Changed objects that are set back one by one, to tell which of them carries the state."""


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

    Raises:
        BundleError: If a configuration names code.
        ValueError, TypeError, KeyError, AttributeError: If it is malformed.
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


def find_carried(job: Job, rerun: Rerun, variables: dict[str, str | None], threads: int | None) -> Carried | None:
    """Find out by experiment whether earlier trials left something to the bundle's; None if they did not.

    Args:
        job: The reproduction.
        rerun: The run in a fresh process.
        variables: Variables as in the bundle.
        threads: Threads as in the bundle.

    Effects: runs trainings, at most two processes and one for each of a few objects.
    """
    if count_earlier(job.bundle) == 0:
        return None  # the first of its process
    try:
        earlier = read_earlier(job.bundle)
    except (ReproofError, ValueError, TypeError, KeyError, AttributeError):
        earlier = ()
    return _Search(job, rerun, earlier, variables, threads).run()


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
        self._is_replay = bool(earlier)
        self._before = earlier or (Earlier(number=job.bundle.trial.number or 0, config=job.bundle.config),)
        self._variables = variables
        self._threads = threads
        self._experiments: list[tuple[str, bool, float]] = []

    def run(self) -> Carried | None:
        """Return what earlier trials left."""
        what = f"{name_trials(self._before)} first" if self._is_replay else "twice in one process"
        after = self._train(what, ())
        carries = after.is_same if self._is_replay else not repeats(self._rerun.result, after.result)
        if not carries:
            return None
        changed = after.result.changed
        names = self._find_holder(changed) if changed else ()
        return Carried(names=names, reason=self._explain(names, changed), experiments=tuple(self._experiments))

    def _train(self, what: str, reset: tuple[str, ...]) -> Rerun:
        number = len(self._experiments) + 1
        self._job.tell(f"does the training carry state? experiment {number}: {what}")
        plan = {"before": [item.to_json() for item in self._before], "reset": list(reset)}
        rerun = train_again(self._job, f"carried{number}", threads=self._threads, variables=self._variables, plan=plan)
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
        rerun = self._train(f"with {', '.join(names)} set back", names)
        return repeats(self._rerun.result, rerun.result)

    def _explain(self, names: tuple[str, ...], changed: tuple[str, ...]) -> str:
        holders = ", ".join(f"`{name.replace(' of ', '` of ', 1)}" for name in names)
        claim, shown = self._claim_replayed(holders) if self._is_replay else _claim_twice(holders)
        if names:
            return f"{claim}. Confirmed: {shown}; with that set back, every bit is that of a fresh process"
        suspected = f". Changed meanwhile: {', '.join(changed)}" if changed else ""
        return f"{claim}. Confirmed: {shown}{suspected}"

    def _claim_replayed(self, holders: str) -> tuple[str, str]:
        before = name_trials(self._before)
        claim = f"trial {self._job.bundle.trial.number} was not made from its configuration alone"
        by = (
            f"{holders} had been changed by {before} of its process"
            if holders
            else f"{before} of its process left state"
        )
        return f"{claim}: {by}", f"with {before} trained before it in one process, every bit is the bundle's"


def _claim_twice(holders: str) -> tuple[str, str]:
    by = f": it changes {holders}" if holders else ""
    claim = f"the training leaves state to the next one of its process{by}"
    return claim, "trained twice in one process, the second time gives other bits"


def name_trials(earlier: tuple[Earlier, ...]) -> str:
    """Return which trials, in words."""
    numbers = [item.number for item in earlier]
    if len(numbers) == 1:
        return f"trial {numbers[0]}"
    if numbers == list(range(numbers[0], numbers[-1] + 1)):
        return f"trials {numbers[0]} to {numbers[-1]}"
    return f"trials {', '.join(map(str, numbers))}"

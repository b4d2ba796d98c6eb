"""What a run does with its sources of entropy: how an experiment is written down and handed to a fresh process."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is replayed, varied, pinned and watched in one run; by default everything is left as it is.

    Attributes:
        baseline: Trace from whose ledger the chosen sources are replayed, or None.
        keys: The chosen sources; None for all.
        candidate: Trace from whose ledger all other sources are replayed, or None to leave them as they are.
        details: Trace of a watched run, with the orders of its sets and the states that its lines left.
        watches: Global generators of which it is noted which lines draw from them.
        watches_seeded: Whether the draws of lines are noted from these generators once they are seeded, too.
        takes_back: Keys of lines after which the generators are as they were before.
        watches_orders: Whether the orders in which sets are iterated are noted, or those of `details` replayed.
        watches_memory: Whether calls that return memory which nothing has written pass through us.
        watches_calls: Whether it is noted what the calls of the user's code are given and return.
        calls_of: Trace of a run in which that was noted: results that differ are replaced by those.
        heals: Names of the spots at which they are; None for all.
        perturbs: Keys of lines (``numpy.random@train.py:20``) whose draws are replaced by others.
        reseeds: Seeds, with their lines, in whose place generators get others (``torch.manual_seed@train.py:20=17``).
        pins_addresses: Whether objects lie at the same addresses in each such run: whoever starts it sees to that.
        serializes: Whether threads take turns, and pools have one worker.
        reverses_listings: Whether folders are listed in the reverse order.
        time_shift: Seconds by which clocks are moved.
        more_workers: Added to the number of workers of each loader; a loader without any gets two.
        earlier: Files that an earlier run of the same check wrote, relative to the working folder.
        since: Time from which on a file outside of the working folder is an earlier run's, or None not to look.
        hides: Such files that are as if they were not there, with their absolute paths.
        keeps_printed: Whether what programs print is kept as it is, to be replayed, rather than its digest.
        origin: Folder of which the working folder is a copy among links, or None if files have their own names.
        passed: Folders in the working folder that hold too many files to look through, with a separator at the end.
        writable: Folders below which alone the run may write, if it has to see to that itself; none otherwise.
    """

    baseline: str | None = None
    keys: tuple[str, ...] | None = None
    candidate: str | None = None
    details: str | None = None
    watches: tuple[str, ...] = ()
    watches_seeded: bool = False
    takes_back: tuple[str, ...] = ()
    watches_orders: bool = False
    watches_memory: bool = False
    watches_calls: bool = False
    calls_of: str | None = None
    heals: tuple[str, ...] | None = None
    perturbs: tuple[str, ...] = ()
    reseeds: tuple[str, ...] = ()
    pins_addresses: bool = False
    serializes: bool = False
    reverses_listings: bool = False
    time_shift: float = 0.0
    more_workers: int = 0
    earlier: tuple[str, ...] = ()
    since: float | None = None
    hides: tuple[str, ...] = ()
    keeps_printed: bool = False
    origin: str | None = None
    passed: tuple[str, ...] = ()
    writable: tuple[str, ...] = ()

    def chooses(self, key: str) -> bool:
        """Whether this source is replayed from the baseline."""
        return self.baseline is not None and (self.keys is None or key in self.keys)

    def to_json(self) -> dict[str, Any]:
        """Return plain values for `plan_from_json`."""
        return asdict(self)


def plan_from_json(entries: dict[str, Any]) -> Plan:
    """Return the plan that `Plan.to_json` made into plain values."""
    known = {field.name for field in fields(Plan)}
    values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in entries.items()}
    if unknown := values.keys() - known:
        raise ValueError(f"unknown entry {min(unknown)!r}")
    return Plan(**values)

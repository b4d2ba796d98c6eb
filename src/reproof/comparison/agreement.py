"""Find out, from the traces of one run, where processes that train together do not agree as they must.

Replicas hold the same parameters after each step, and have the same gradients once these are reduced; all take the same
number of steps, each on samples of its own. Nothing was gathered for that while the run went on: what each process
recorded for itself is held side by side. Parameters that are spread over processes are compared between those that hold
the same part.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Final

from reproof.schema import DIGEST_BYTES, NO_DIGEST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reproof.schema import Event, Parallel, Stage
    from reproof.trace import RankTrace, Trace

MAX_CHECKED: Final = 2000
"""Steps in which two processes are held side by side; from more, some are taken at equal distances. Those that have
drifted apart stay apart, and the step in which they did is then looked for."""

NUM_BATCHES: Final = 8
"""Steps whose samples are looked at."""

HELD: Final[frozenset[Stage]] = frozenset({"init", "gradient", "update"})
"""Stages in which replicas agree."""

MAX_PAIRS: Final = 64
"""Pairs of processes whose samples are compared."""


class Member:
    """One process of those that train a model together."""

    def __init__(self, trace: Trace, parallel: Parallel) -> None:
        """Hold its trace and what it knows of the others."""
        self.rank = parallel.rank
        self.parallel = parallel
        self.recorded: RankTrace = next(iter(trace.ranks.values()))
        self.is_whole = trace.explain_incomplete() is None


Team = dict[int, Member]
"""Processes by their rank."""


def find_disagreements(trace: Trace) -> tuple[str, ...]:
    """Return in what the processes of one run do not agree, one sentence each; nothing for a run of one process.

    Raises TraceError if a trace is damaged.
    """
    found: list[str] = []
    for (model, _), team in group_members(trace).items():
        found += find_drifts(model, team)
        found += find_uneven(team)
        found += find_same_samples(team)
    remarks = [remark for one in (trace, *trace.children.values()) for remark in one.header.remarks]
    return tuple(dict.fromkeys((*found, *remarks)))


def group_members(trace: Trace) -> dict[tuple[str, tuple[int, ...]], Team]:
    """Return the processes that train a model together, by its name and their ranks; of restarted ones the last."""
    teams: dict[tuple[str, tuple[int, ...]], Team] = {}
    for one in (trace, *trace.children.values()):
        for parallel in one.header.parallel if one.ranks else ():
            ranks = parallel.ranks or parallel.replicas
            teams.setdefault((parallel.model, ranks), {})[parallel.rank] = Member(one, parallel)
    return teams


def find_drifts(model: str, team: Team) -> Iterator[str]:
    """Say where replicas drift apart, the first place of each that differs from the first replica."""
    for rank, member in sorted(team.items()):
        first = min((other for other in member.parallel.replicas if other in team), default=rank)
        if first == rank:
            continue
        drift = find_drift(team[first], member, model)
        if drift is not None:
            step, event = drift
            what = "the gradient of " if event.stage == "gradient" else ""
            yield f"replicas drifted apart at step {step}: rank {rank}, {what}{event.name} is not that of rank {first}"


def find_drift(first: Member, other: Member, model: str) -> tuple[int, Event] | None:
    """Return the first step in which two replicas do not hold the same, and what; None if there is none."""
    num_steps = min(first.recorded.num_steps, other.recorded.num_steps)
    stride = max(1, num_steps // MAX_CHECKED)
    before = 0
    for step in sorted({*range(0, num_steps, stride), *([num_steps - 1] if num_steps else [])}):
        if find_unequal(first, other, step, model) is not None:
            for earlier in range(before, step + 1):
                event = find_unequal(first, other, earlier, model)
                if event is not None:
                    return earlier, event
        before = step + 1
    return None


def find_unequal(first: Member, other: Member, step: int, model: str) -> Event | None:
    """Return the first event of a step in which two replicas do not hold the same."""
    apart = {*first.parallel.apart, *other.parallel.apart}
    theirs = read_step(other.recorded, step, HELD)
    for event, digest in read_step(first.recorded, step, HELD).items():
        if not event.name.startswith(f"{model}.") or event.name in apart or NO_DIGEST in {digest, theirs.get(event)}:
            continue
        if theirs.get(event, digest) != digest:
            return event
    return None


def read_step(recorded: RankTrace, step: int, stages: frozenset[Stage]) -> dict[Event, bytes]:
    """Return the last digest of each event of some stages in a step."""
    found: dict[Event, bytes] = {}
    for index in recorded.find_step(step):
        record = recorded.record(index)
        start = recorded.events_before(index)
        digests = recorded.digests(start, record.digests_end)
        for position, event in enumerate(recorded.layout(record.layout).events):
            if event.stage in stages:
                found[event] = digests[position * DIGEST_BYTES : (position + 1) * DIGEST_BYTES]
    return found


def find_uneven(team: Team) -> Iterator[str]:
    """Say which processes took other numbers of steps; one that was killed says so itself."""
    counts = {rank: member.recorded.num_steps for rank, member in sorted(team.items()) if member.is_whole}
    if len(set(counts.values())) > 1:
        told = ", ".join(f"rank {rank} took {count} steps" for rank, count in counts.items())
        yield f"the ranks did not take the same number of steps: {told}"


def find_same_samples(team: Team) -> Iterator[str]:
    """Say which processes read the same samples, as those do whose loader knows nothing of the others."""
    members = [member for _, member in sorted(team.items()) if member.parallel.ranks]
    same: list[list[int]] = []
    for first, other in list(combinations(members, 2))[:MAX_PAIRS]:
        known = next((ranks for ranks in same if first.rank in ranks), None)
        if known is not None and other.rank in known:
            continue
        if have_same_samples(first, other):
            if known is None:
                same.append([first.rank, other.rank])
            else:
                known.append(other.rank)
    for ranks in same:
        named = f"{', '.join(map(str, ranks[:-1]))} and {ranks[-1]}"
        yield f"ranks {named} read the same samples from step 0: give their loaders a DistributedSampler"


def have_same_samples(first: Member, other: Member) -> bool:
    """Whether two processes read the same batches in their first steps, and others in each step."""
    num_steps = min(first.recorded.num_steps, other.recorded.num_steps, NUM_BATCHES)
    batches = [read_step(first.recorded, step, frozenset({"batch"})) for step in range(num_steps)]
    theirs = [read_step(other.recorded, step, frozenset({"batch"})) for step in range(num_steps)]
    changes = len({tuple(batch.values()) for batch in batches}) > 1  # else every batch is the same, or there is one
    has_all = all(batches) and not any(NO_DIGEST in batch.values() for batch in batches)
    return changes and has_all and batches == theirs

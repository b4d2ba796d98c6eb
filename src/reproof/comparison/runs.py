"""Compare two runs and give the verdict."""

from __future__ import annotations

import math
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from reproof.closeness import agree_within
from reproof.comparison.alignment import tally_differences
from reproof.comparison.calls import name_calls, split_line
from reproof.comparison.details import PairReader
from reproof.comparison.growth import find_loss_gaps, find_rng_gaps
from reproof.comparison.operations import Target, find_op_difference
from reproof.comparison.outputs import compare_output
from reproof.comparison.processes import compare_processes
from reproof.comparison.snapshots import are_snapshots, find_trained, members_of, owner_of
from reproof.comparison.structure import comes_before, describe_extra, find_first_extra
from reproof.comparison.training import OF_TRAINING, find_untrained
from reproof.comparison.verification import verify_traces
from reproof.environment import compare_environments
from reproof.errors import TraceError, UsageError
from reproof.schema import (
    STAGES,
    Beside,
    Comparison,
    Difference,
    LossGap,
    RngGap,
    Skipped,
    Stage,
    StageCount,
    StepMap,
)
from reproof.schema.comparison import THE_END
from reproof.trace import Trace, find_newest_traces, open_trace
from reproof.trace.files import list_folder
from reproof.trace.op_reader import open_ops

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reproof.comparison.tally import Pair, Tally
    from reproof.schema import Event
    from reproof.trace import RankTrace

DEFAULT_LIMIT = 5
ALL = 1 << 62


def compare(
    baseline: str | os.PathLike[str],
    candidate: str | os.PathLike[str],
    *,
    tolerance: float | None = None,
    max_differences: int = DEFAULT_LIMIT,
    verify: bool | None = None,
    ignored: Sequence[str] = (),
    maps_steps: bool = False,
) -> Comparison:
    """Compare two recorded runs: the first divergence in execution order, counts, and a verdict.

    Args:
        baseline: Folder of a trace, or a pickle of the hand-made batch check.
        candidate: The same for the other run.
        tolerance: Compare the recorded numbers of events whose bits differ; floats agree if
            ``|x - y| <= tolerance * max(1, |x|, |y|)``. None compares bits alone, and pickles within 1e-6.
        max_differences: How many differing events to describe.
        verify: Whether to hold every byte of both traces against its checksums first; None does so for traces of up to
            1 MiB. `Comparison.is_verified` tells.
        ignored: Patterns of names of files that the runs have written and that are left out.
        maps_steps: Whether to tell what became of each step and stage (`Comparison.steps`), which a page draws.

    Returns:
        The comparison. Runs that differ are an answer, not an error.

    Raises:
        TraceError: If one of them cannot be read or is damaged.
        UsageError: If the tolerance is negative or not finite, or a trace is compared with a pickle.
    """
    if tolerance is not None and not (math.isfinite(tolerance) and tolerance >= 0):
        raise UsageError(f"tolerance is {tolerance}", "give a number of 0 or more, such as 1e-6")
    paths = (Path(baseline), Path(candidate))
    records = [path for path in paths if is_file(path)]
    if len(records) == len(paths):
        # Imported here: reading pickles is rarely asked for, and takes a tenth of the time of a whole comparison.
        from reproof.legacy.comparison import compare_legacy

        return compare_legacy(*paths, tolerance=tolerance, max_differences=max_differences)
    traces = [open_trace(path) for path in paths if path not in records]
    if records:
        raise UsageError(f"{records[0]} is a file and the other run a folder", "compare two traces, or two pickles")
    return compare_traces(
        *traces,
        tolerance=tolerance,
        max_differences=max_differences,
        verify=verify,
        ignored=ignored,
        maps_steps=maps_steps,
    )


def is_file(path: Path) -> bool:
    """Whether a path is a file; what cannot be looked at is none, and whoever opens it says why."""
    try:
        return path.is_file()
    except OSError:
        return False


def find_newest_runs(folder: str | os.PathLike[str]) -> tuple[Path, Path]:
    """Return the two newest traces in a folder, or its two newest pickles of the hand-made check; the older first.

    Raises TraceError if it holds fewer than two.
    """
    parent = Path(folder)
    names = list_folder(parent, "folder of runs", "name the folder that holds the runs")
    has_trace = any(os.access(parent / name / "run.json", os.F_OK) for name in names)
    if has_trace or not any(name.endswith(".pkl") for name in names):
        first, second = find_newest_traces(parent)
        return first, second
    from reproof.legacy.records import newest_legacy  # as above

    newest = newest_legacy(parent, count=2)
    if len(newest) < 2:  # noqa: PLR2004  # a pair
        msg = f"{parent} holds {len(newest)} of the 2 records to compare"
        raise TraceError(msg, "record another run", slug="too-few-traces")
    return newest[1], newest[0]


class RunPair:
    """Two traces under comparison, and what has been found so far."""

    def __init__(self, baseline: Trace, candidate: Trace, tolerance: float | None, limit: int) -> None:
        """Start with nothing compared."""
        self.baseline = baseline
        self.candidate = candidate
        self.tolerance = tolerance
        self.limit = limit
        self.tallies: dict[int, Tally] = {}
        self.skipped: list[Skipped] = []
        self.structure: list[str] = []
        self.differing: list[tuple[int, Pair]] = []
        self.num_within = 0
        self.beside: list[Beside] = []

    def compare_ranks(self, *, maps_steps: bool = False) -> None:
        """Compare every process that both runs have."""
        a, b = self.baseline.ranks, self.candidate.ranks
        for rank in sorted(set(a) ^ set(b)):
            self.structure.append(f"only the {'baseline' if rank in a else 'candidate'} has rank {rank}")
        limit = self.limit if self.tolerance is None else ALL
        for rank in sorted(set(a) & set(b)):
            tally = self.tallies[rank] = tally_differences(a[rank], b[rank], limit, maps_steps=maps_steps)
            self._set_copies_aside(rank, tally)
            self._judge_pairs(rank, tally)
            self._note_structure(rank, tally)
            self._note_beside(tally)
            self._note_skipped(rank, tally)

    def _set_copies_aside(self, rank: int, tally: Tally) -> None:
        """Tell, and do not judge, what is left of copies of states that the training went through.

        Of runs that have parted before, the copies differ for that reason, and nothing is set aside.
        """
        if tally.has_parted:
            tally.pairs += tally.left
            return
        traces = self.baseline.ranks[rank], self.candidate.ranks[rank]
        extras = [extra for extra in tally.extras if extra.event.stage == "final"]
        trained = find_trained(traces) if tally.left or extras else frozenset()
        for pair in tally.left:
            members = members_of(traces[0], pair.baseline), members_of(traces[1], pair.candidate)
            if owner_of(pair.event.name) not in trained and are_snapshots(traces, members):
                self._tell_copies(pair.event, tally)
            else:
                tally.pairs.append(pair)
        for extra in extras:
            if owner_of(extra.event.name) in trained:
                continue
            owner = traces[0 if extra.is_in_baseline else 1]
            if extra.place is not None and are_snapshots(traces, (members_of(owner, extra.place), Counter())):
                tally.extras.remove(extra)
                tally.num_extras -= 1
                counts = (1, 0) if extra.is_in_baseline else (0, 1)
                tally.num_beside[0 if extra.is_in_baseline else 1] += 1
                what = f"a copy of a state of the training that one run has left: {extra.event.name}"
                self.beside.append(Beside(what=what, baseline=counts[0], candidate=counts[1]))

    def _tell_copies(self, event: Event, tally: Tally) -> None:
        tally.differing[event.stage] -= 1
        tally.differing += Counter()  # drops what is zero
        if tally.states is not None and not tally.differing["final"]:
            tally.states.settle("final")
        what = f"copies of other states of the training that the runs have left: {event.name}"
        self.beside.append(Beside(what=what))

    def _judge_pairs(self, rank: int, tally: Tally) -> None:
        """Keep the pairs that differ; with a tolerance, only those whose numbers do not agree within it."""
        if self.tolerance is None:
            self.differing += [(rank, pair) for pair in tally.pairs]
            return
        reader = PairReader(self.baseline.ranks[rank], self.candidate.ranks[rank])
        unjudged: set[str] = set()
        outside: Counter[Stage] = Counter()
        for pair in tally.pairs:
            numbers = reader.numbers(pair, "exact") or reader.numbers(pair, "statistics")
            if numbers is None:
                unjudged.add(pair.event.name)
            elif agree_within(numbers, self.tolerance):
                self.num_within += 1
            else:
                outside[pair.event.stage] += 1
                self.differing.append((rank, pair))
        tally.differing = outside
        why = "its bits differ and no numbers were kept to compare within the tolerance; record with --statistics"
        self.skipped += [Skipped(what=name, why=why) for name in sorted(unjudged)]

    def _note_structure(self, rank: int, tally: Tally) -> None:
        a, b = self.baseline.ranks[rank], self.candidate.ranks[rank]
        where = f" on rank {rank}" if len(self.baseline.ranks) > 1 else ""
        if tally.extras:
            extra = tally.extras[0]
            owner = "baseline" if extra.is_in_baseline else "candidate"
            what = f"{extra.event.stage} {extra.event.name}"
            more = f", and {tally.num_extras - 1} more like it" if tally.num_extras > 1 else ""
            self.structure.append(f"only the {owner} has {what} in step {extra.step}{where}{more}")
        if tally.reordered_step is not None:
            self.structure.append(f"the events of step {tally.reordered_step}{where} come in another order")
        if a.num_steps != b.num_steps:
            self.structure.append(f"the baseline has {a.num_steps} steps{where} and the candidate {b.num_steps}")
        elif self._counts_differ(a, b, tally) and not tally.extras:
            self.structure.append(f"the baseline has {a.num_events} events{where} and the candidate {b.num_events}")

    @staticmethod
    def _counts_differ(a: RankTrace, b: RankTrace, tally: Tally) -> bool:
        """Whether one run has more events, calls without gradients that only one makes apart."""
        return a.num_events - tally.num_beside[0] != b.num_events - tally.num_beside[1]

    def _note_beside(self, tally: Tally) -> None:
        self.beside += (
            Beside(what=name_calls(model), baseline=counts[0], candidate=counts[1], **split_line(line))
            for (model, line), counts in tally.beside.items()
        )

    def _note_skipped(self, rank: int, tally: Tally) -> None:
        reasons: dict[str, str] = {}
        for trace in (self.baseline.ranks[rank], self.candidate.ranks[rank]):
            reasons |= {event.name: event.skipped for event in trace.events if event.skipped is not None}
        for name in tally.other_algorithm:
            reasons[name] = "the two runs digested it with different algorithms"
        self.skipped += [Skipped(what=name, why=why) for name, why in reasons.items()]

    def note_runs(self) -> None:
        """Note what keeps one of the runs as a whole from being compared."""
        for role, trace in (("baseline", self.baseline), ("candidate", self.candidate)):
            if (why := trace.explain_incomplete()) is not None:
                self.skipped.append(Skipped(what=f"{THE_END}{role}", why=why))
            self.skipped += [Skipped(what=f"evidence of the {role}", why=why) for why in trace.header.problems]
        a, b = self.baseline.header, self.candidate.header
        if a.level != b.level:
            self.structure.append(f"the baseline was recorded at level {a.level} and the candidate at {b.level}")
        if a.num_batches != b.num_batches:
            limits = [f"{n} batches" if n is not None else "all batches" for n in (a.num_batches, b.num_batches)]
            self.structure.append(f"the baseline recorded {limits[0]} of each loader and the candidate {limits[1]}")

    def counts(self, *, differing: bool) -> Counter[Stage]:
        """Return how many events were compared, or how many differ, per stage over all processes."""
        total: Counter[Stage] = Counter()
        for tally in self.tallies.values():
            total += tally.differing if differing else tally.compared
        return total

    def describe(self) -> tuple[Difference, ...]:
        """Describe the first differing events, in execution order."""
        described: list[Difference] = []
        for rank, pair in self._order()[: self.limit]:
            reader = PairReader(self.baseline.ranks[rank], self.candidate.ranks[rank])
            count = None if described else reader.count_before(pair)  # asked for of the first alone, and not free
            described.append(replace(reader.describe(pair), num_events=count))
        return tuple(described)

    def _order(self) -> list[tuple[int, Pair]]:
        return sorted(self.differing, key=lambda found: found[1].step)  # stable: ranks stay in order within a step

    def name_op(self, first: Difference) -> Difference:
        """Return the first difference with the operation at which the runs part, where both recorded operations."""
        found = [
            open_ops(trace.folder, first.rank, bytes.fromhex(trace.header.run_id) if first.rank == 0 else None)
            for trace in (self.baseline, self.candidate)
        ]
        if found[0] is None or found[1] is None:
            return first
        op = find_op_difference(found[0], found[1], first.step, self._find_target(first))
        return first if op is None else replace(first, op=op)

    def _find_target(self, first: Difference) -> Target | None:
        """Return the event that differs first, as operations know it; None for one that only one run has."""
        ordered = self._order()
        if not ordered or ordered[0][1].event.name != first.name or first.stage == "init":
            return None
        rank, pair = ordered[0]
        trace, place = self.baseline.ranks[rank], pair.baseline
        return Target(
            trace.events_before(place.frame) + place.position, trace.frame(place.frame).digest(place.position)
        )

    def map_steps(self) -> tuple[StepMap, ...]:
        """Return what became of each step and stage, per process; empty where that was not asked for."""
        return tuple(
            tally.states.to_map(rank, min(run.ranks[rank].num_steps for run in (self.baseline, self.candidate)))
            for rank, tally in self.tallies.items()
            if tally.states is not None
        )

    def find_extra(self) -> Difference | None:
        """Return the first event that only one run has, if both runs were recorded to their ends."""
        if any(trace.explain_incomplete() is not None for trace in (self.baseline, self.candidate)):
            return None
        found = []
        for rank, tally in self.tallies.items():
            a, b = self.baseline.ranks[rank], self.candidate.ranks[rank]
            if (extra := find_first_extra(a, b, tally)) is not None:
                is_common = bool(tally.extras) and extra.step < min(a.num_steps, b.num_steps)
                told = (
                    None
                    if is_common or a.num_steps == b.num_steps
                    else f"the baseline ends after {a.num_steps} steps, the candidate after {b.num_steps}"
                )
                found.append(describe_extra(rank, extra, told))
        return min(found, key=lambda extra: extra.step, default=None)

    def find_loss_gaps(self, first: Difference) -> tuple[LossGap, ...]:
        """Return how the losses of the rank that parted first grow apart."""
        return find_loss_gaps(self.baseline.ranks[first.rank], self.candidate.ranks[first.rank], first.step)

    def find_rng_gaps(self, first: Difference) -> tuple[RngGap, ...]:
        """Return the states of the random number generators around the first divergence."""
        return find_rng_gaps(self.baseline.ranks[first.rank], self.candidate.ranks[first.rank], first.step)

    def find_untrained(self) -> tuple[str, ...]:
        """Return the models that are never trained, if all that differs belongs to them; see `training`."""
        of_training = OF_TRAINING & {stage for stage, count in self.counts(differing=True).items() if count}
        if of_training or self.structure or self.skipped:
            return ()
        found = [
            find_untrained(self.baseline.ranks[rank], self.candidate.ranks[rank])
            for rank, tally in self.tallies.items()
            if tally.differing
        ]
        return tuple(dict.fromkeys(name for names in found for name in names)) if all(found) else ()


def compare_traces(
    baseline: Trace,
    candidate: Trace,
    *,
    tolerance: float | None = None,
    max_differences: int = DEFAULT_LIMIT,
    is_same_program: bool = False,
    verify: bool | None = None,
    ignored: Sequence[str] = (),
    maps_steps: bool = False,
) -> Comparison:
    """Compare two open traces; see `compare`.

    With `is_same_program`, the runs are known to be of the same program in the same surroundings: then an event that
    only one of them has is a divergence, and not a sign that the wrong runs are compared.
    """

    def compare_two(a: Trace, b: Trace) -> Comparison:
        return compare_own(
            a,
            b,
            tolerance,
            max_differences,
            is_same_program=is_same_program,
            verify=verify,
            ignored=ignored,
            maps_steps=maps_steps,
        )

    return compare_processes(baseline, candidate, compare_two, max_differences)


def compare_own(  # as `compare_traces`
    baseline: Trace,
    candidate: Trace,
    tolerance: float | None,
    max_differences: int,
    *,
    is_same_program: bool,
    verify: bool | None,
    ignored: Sequence[str],
    maps_steps: bool,
) -> Comparison:
    """Compare the processes that were started with the runs, or one that another has started, and no others."""
    is_verified = verify_traces(baseline, candidate, is_wanted=verify)
    pair = RunPair(baseline, candidate, tolerance, max(1, max_differences))
    pair.compare_ranks(maps_steps=maps_steps)
    pair.note_runs()
    differences = pair.describe()
    extra = pair.find_extra() if is_same_program else None
    if extra is not None and (not differences or comes_before(extra, differences[0])):
        differences = (extra, *differences)
    if differences:
        differences = (pair.name_op(differences[0]), *differences[1:])
    if baseline.header.origin is not None:
        differences = tuple(replace(d, process=baseline.header.origin.label) for d in differences)
    compared, differing = pair.counts(differing=False), pair.counts(differing=True)
    output = compare_output(baseline, candidate, ignored)
    conditions = compare_environments(baseline.header.environment, candidate.header.environment)
    return Comparison(
        verdict="inconclusive",  # until all processes of the runs are judged
        runs=(str(baseline.folder), str(candidate.folder)),
        num_events=sum(compared.values()),
        num_tensors=sum(tally.num_tensors for tally in pair.tallies.values()),
        num_steps=min((min(t.ranks[r].num_steps for t in (baseline, candidate)) for r in pair.tallies), default=0),
        counts=tuple(StageCount(stage=s, compared=compared[s], differing=differing[s]) for s in STAGES if compared[s]),
        skipped=tuple(pair.skipped),
        structure=tuple(pair.structure),
        first=differences[0] if differences else None,
        differences=differences,
        conditions=conditions,
        losses=pair.find_loss_gaps(differences[0]) if differences else (),
        rng=pair.find_rng_gaps(differences[0]) if differences else (),
        tolerance=tolerance,
        num_within_tolerance=pair.num_within,
        level=baseline.header.level if baseline.header.level == candidate.header.level else None,
        is_verified=is_verified,
        beside=tuple(pair.beside),
        output=output,
        is_same_run=baseline.header.run_id == candidate.header.run_id,
        untrained=pair.find_untrained() if differences and (output is None or not output.differences) else (),
        steps=pair.map_steps(),
    )

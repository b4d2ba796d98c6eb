"""Compare the traces of an uninterrupted and a resumed run: verdict, first divergence, missing pieces."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from reproof.checking.resuming.alignment import Continuation, find_continuation, pair_models
from reproof.checking.resuming.evidence import MissingPiece, Resumption
from reproof.checking.resuming.pieces import find_missing
from reproof.checking.resuming.steps import ShiftedTally, StepReader, compare_shifted
from reproof.comparison.details import PairReader
from reproof.comparison.growth import doubling, read_loss, read_rng
from reproof.comparison.steps import StepStates
from reproof.comparison.structure import comes_before, describe_extra
from reproof.comparison.tally import Extra
from reproof.environment import compare_environments
from reproof.schema import STAGES, Comparison, Difference, LossGap, RngGap, Skipped, StageCount
from reproof.trace.views.steps import name_generator

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reproof.recorder.restorations import Restoration
    from reproof.trace import RankTrace, Trace

Notes = tuple["tuple[Restoration, ...] | None", "tuple[Restoration, ...] | None"]
"""What the first part and the resumed run noted of saving and loading."""

OWN_CONDITIONS: Final = frozenset({"code.script", "process.argv", "process.cwd"})
"""What differs because the two runs are what they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeFinding:
    """What was found about resuming.

    Attributes:
        interrupted_at: Steps that the first part took; None if it never ran.
        continues_at: Step of the uninterrupted run at which the resumed one goes on; None if that is not known.
        num_restored: Parameters and buffers that were as before that step.
        missing: Pieces of state that the resumed run lacks.
        models: What models of the resumed run are called in the uninterrupted one, where that is another name.
    """

    interrupted_at: int | None = None
    continues_at: int | None = None
    num_restored: int = 0
    missing: tuple[MissingPiece, ...] = ()
    models: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "interrupted_at": self.interrupted_at,
            "continues_at": self.continues_at,
            "restored": self.num_restored,
            "missing": [piece.to_json() for piece in self.missing],
        }


def inconclusive(runs: tuple[str, str], why: str) -> Comparison:
    """Return the comparison of runs that cannot be compared, with the reason as its structure."""
    return Comparison(verdict="inconclusive", runs=runs, num_events=0, num_tensors=0, num_steps=0, structure=(why,))


def explain_first_part(whole: Trace, first: Trace, *, has_own_command: bool) -> str:
    """Return why the first part is not the beginning of the uninterrupted run, or an empty text if it is.

    Raises TraceError if a frame that is looked at is damaged.
    """
    num_steps = first.ranks[0].num_steps
    tally = compare_shifted(StepReader(whole.ranks[0]), StepReader(first.ranks[0]), 0, num_steps, limit=1)
    found = [(pair.step, pair.event) for pair in tally.pairs] + [(extra.step, extra.event) for extra in tally.extras]
    if not found:
        return ""
    step, event = min(found, key=lambda place: place[0])
    where = f"the first part is another training from step {step} on, {event.stage} {event.name}"
    own = ", or its own arguments change more than where it ends" if has_own_command else ""
    return f"{where}: the training does not reproduce by itself (run `reproof check` first){own}"


def compare_resumed(
    whole: Trace, resumed: Trace, interrupted_at: int, limit: int, notes: Notes
) -> tuple[Comparison, ResumeFinding]:
    """Compare a resumed run with the uninterrupted one.

    The first part took `interrupted_at` steps; at most `limit` differing events are described. Raises TraceError if a
    frame that is looked at is damaged.
    """
    names = (str(whole.folder), str(resumed.folder))
    readers = StepReader(whole.ranks[0]), StepReader(resumed.ranks[0])
    models = pair_models(*readers, interrupted_at)
    readers = readers[0], StepReader(resumed.ranks[0], models)
    continuation = find_continuation(*readers, interrupted_at)
    if continuation is None or continuation.step == 0:
        if not any(note.action == "loaded" for note in notes[1] or ()):
            why = (
                "the initial parameters of the resumed run are none that the uninterrupted run had by then"
                if continuation is None
                else "the resumed run starts anew: its initial parameters are those of step 0"
            )
            return inconclusive(names, why), ResumeFinding(interrupted_at=interrupted_at)
        continuation = assume_continuation(*readers, interrupted_at)
    surplus = count_surplus(whole, resumed, continuation.step)
    num_steps = count_common_frames(whole, resumed, continuation.step, surplus)
    states = make_states(whole.ranks[0], resumed.ranks[0], continuation.step, num_steps)
    tally = compare_shifted(*readers, continuation.step, num_steps, states=states)
    missing = find_missing(
        Resumption(
            whole=readers[0],
            resumed=readers[1],
            continuation=continuation,
            tally=tally,
            surplus=surplus,
            saved=notes[0],
            loaded=notes[1],
        )
    )
    comparison = describe(whole, resumed, tally, start=continuation.step, surplus=surplus, limit=limit)
    finding = ResumeFinding(
        interrupted_at=interrupted_at,
        continues_at=continuation.step,
        num_restored=len(continuation.restored),
        missing=missing if comparison.verdict == "diverged" else (),
        models=models,
    )
    return comparison, finding


def make_states(whole: RankTrace, resumed: RankTrace, start: int, num_steps: int) -> StepStates:
    """Return the states of the steps of the uninterrupted run, of which those before `start` equal the first part's.

    What a resumed run does beyond the `num_steps` that are compared has no place in it.
    """
    ends = [trace.record(len(trace) - 1).step + 1 for trace in (whole, resumed)]
    states = StepStates(max(ends[0], start + min(ends[1], num_steps)))
    states.mark_frames(whole, 0, whole.find_step(start).start)
    return states


def assume_continuation(whole: StepReader, resumed: StepReader, interrupted_at: int) -> Continuation:
    """Return where a run that loads some state, but not its model, goes on: by its step counts, or its length."""
    counts = {name: seen.digest for name, seen in resumed.named(0, "update").items() if name.endswith(".step")}
    steps = [
        step
        for step in range(1, interrupted_at + 1)
        if counts and all((seen := whole.named(step, "update").get(n)) and seen.digest == counts[n] for n in counts)
    ]
    left = whole.trace.num_steps - resumed.trace.num_steps
    step = steps[-1] if steps else left if 0 < left <= interrupted_at else interrupted_at
    initial = resumed.named(0, "init")
    known = {name: seen.digest for name in initial if (seen := whole.find_state(name, step - 1)) is not None}
    differing = tuple(name for name, digest in known.items() if digest != initial[name].digest)
    return Continuation(step=step, restored=(), differing=differing)


def count_surplus(whole: Trace, resumed: Trace, start: int) -> int:
    """Return how many steps the resumed run takes beyond what was left; 0 if one of the runs was stopped."""
    if whole.header.num_steps is not None or resumed.header.num_steps is not None:
        return 0
    return start + resumed.ranks[0].num_steps - whole.ranks[0].num_steps


def count_common_frames(whole: Trace, resumed: Trace, start: int, surplus: int) -> int:
    """Return how many steps to compare, with what comes after the last where both runs end at the same step."""
    common = min(whole.ranks[0].num_steps - start, resumed.ranks[0].num_steps)
    is_same_end = surplus == 0 and whole.header.num_steps is None and resumed.header.num_steps is None
    return common + (1 if is_same_end else 0)


def describe(whole: Trace, resumed: Trace, tally: ShiftedTally, *, start: int, surplus: int, limit: int) -> Comparison:
    """Return what was found as a comparison, in the steps of the uninterrupted run."""
    reader = PairReader(whole.ranks[0], resumed.ranks[0])
    differences = tuple(reader.describe(pair) for pair in tally.pairs[:limit])
    structural = find_structural(whole, resumed, tally, start, surplus)
    if structural is not None and (not differences or comes_before(structural, differences[0])):
        differences = (structural, *differences)
    skipped = [Skipped(what=name, why=why) for name, why in tally.skipped.items()]
    for role, trace in (("uninterrupted", whole), ("resumed", resumed)):
        skipped += [Skipped(what=f"evidence of the {role} run", why=why) for why in trace.header.problems]
        skipped += [
            Skipped(what=f"rank {rank} of the {role} run", why="only rank 0 is compared")
            for rank in trace.ranks
            if rank
        ]
    if not sum(tally.compared.values()):
        skipped.append(Skipped(what="the resumed run", why="it has no event in common with the rest of the other"))
    conditions = compare_environments(whole.header.environment, resumed.header.environment)
    return Comparison(
        verdict="diverged" if differences else "inconclusive" if skipped else "identical",
        runs=(str(whole.folder), str(resumed.folder)),
        num_events=sum(tally.compared.values()),
        num_tensors=tally.num_tensors,
        num_steps=min(tally.num_steps, resumed.ranks[0].num_steps),
        counts=tuple(
            StageCount(stage=stage, compared=tally.compared[stage], differing=tally.differing[stage])
            for stage in STAGES
            if tally.compared[stage]
        ),
        skipped=tuple(skipped),
        first=differences[0] if differences else None,
        differences=differences,
        conditions=tuple(c for c in conditions if c.name not in OWN_CONDITIONS),
        losses=find_loss_gaps(whole, resumed, tally, start),
        rng=find_rng_gaps(whole, resumed, start) if differences else (),
        level=whole.header.level,
        steps=() if tally.states is None else (tally.states.to_map(0, whole.ranks[0].num_steps),),
    )


def find_loss_gaps(whole: Trace, resumed: Trace, tally: ShiftedTally, start: int) -> tuple[LossGap, ...]:
    """Return the losses of both runs from the first on that differ, at doubling distances, and the last."""
    first = min((pair.step for (stage, _, _), pair in tally.firsts.items() if stage == "loss"), default=None)
    if first is None:
        return ()
    last = min(whole.ranks[0].num_steps, start + resumed.ranks[0].num_steps) - 1
    found = (
        (s, read_loss(whole.ranks[0], s), read_loss(resumed.ranks[0], s - start))
        for s in (first, *doubling(first, last))
    )
    return tuple(LossGap(step, a, b) for step, a, b in found if a is not None and b is not None)


def find_rng_gaps(whole: Trace, resumed: Trace, start: int) -> tuple[RngGap, ...]:
    """Return which random number generators are in other states after the resumed run's first step."""
    a, b = read_rng(whole.ranks[0], start) or {}, read_rng(resumed.ranks[0], 0) or {}
    common = sorted(a.keys() & b.keys())
    names = tuple(name_generator(source) for source in common if a[source] != b[source])
    return (RngGap(step=start, differing=names, num_compared=len(common)),) if common else ()


def find_structural(whole: Trace, resumed: Trace, tally: ShiftedTally, start: int, surplus: int) -> Difference | None:
    """Return the first event that only one run has, or the step after which only one goes on."""
    if tally.extras:
        return describe_extra(0, min(tally.extras, key=lambda e: (e.step, STAGES.index(e.event.stage))), None)
    if not surplus:
        return None
    longer, step = (
        (resumed, whole.ranks[0].num_steps - start) if surplus > 0 else (whole, start + resumed.ranks[0].num_steps)
    )
    frames = [longer.ranks[0].frame(index) for index in longer.ranks[0].find_step(step)]
    event = frames[0].layout.events[0]
    number = whole.ranks[0].num_steps if surplus > 0 else step
    ends = (whole.ranks[0].num_steps, start + resumed.ranks[0].num_steps)
    told = f"the uninterrupted run ends after {ends[0]} steps, the resumed one after {ends[1]}"
    return describe_extra(0, Extra(number, event, is_in_baseline=surplus < 0), told)

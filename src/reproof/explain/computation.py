"""Causes that no replay removes: the difference is made while computing.

Three things make a computation differ although all that it was given is the same: threads that race, memory that
nobody has written, and operations whose result depends on who comes first. For each there is an experiment.
"""

from __future__ import annotations

import linecache
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reproof.entropy.ledger import read_ledgers
from reproof.entropy.plan import Plan
from reproof.explain.naming import name_cause
from reproof.explain.suspects import Suspect, collect_suspects
from reproof.schema import Probes
from reproof.trace.probes import read_poisoned, read_poisoned_places, read_repetitions

if TYPE_CHECKING:
    from pathlib import Path

    from reproof.explain.laboratory import Laboratory, Trial
    from reproof.schema import Cause, Difference, OpCause, OpDifference, UnstableOp


MAX_PLACES: Final = 6
"""So many places that allocate memory are tried one after the other."""

ALLOCATING: Final = ("empty", "Tensor(", "ndarray(", "resize", "where=")
"""Parts of lines that leave memory unwritten, as most people write them: those lines are tried first."""

MAX_EARLIER_STEPS: Final = 3
"""Up to this step of a divergence the operations of all steps before it are recorded as well."""


KINDS: Final[dict[OpCause, str]] = {
    "computed": "nondeterministic-op",
    "random": "unseeded-rng",
    "argument": "data-change",
    "outside": "data-change",
    "uninitialized": "uninitialized-memory",
}
"""Kind of cause by what made an operation differ."""

STARTED: Final = frozenset({"threading.Thread", "multiprocessing.Process"})
"""What runs beside the main thread, and may race with it."""

BY_ADDRESS: Final = ("id@", "set@")
"""How the keys of places begin at which objects are ordered by their addresses."""


def find_computed_causes(laboratory: Laboratory, first: Difference, replica: Trial) -> list[Cause]:
    """Return the causes of a divergence that shows although everything is replayed.

    Args:
        laboratory: Where experiments are made.
        first: The divergence.
        replica: The run with everything replayed, whose operations at the divergent step were recorded.
    """
    threads = find_threads(replica, first.step)
    if len(threads) > 1 and (cause := try_turns(laboratory, first, threads)) is not None:
        return [cause]
    if (cause := try_addresses(laboratory, first, replica) or find_in_operations(laboratory, first, replica)) is None:
        cause = try_turns(laboratory, first, threads) if len(threads) == 1 else None
    return [] if cause is None else [cause]


def find_in_operations(laboratory: Laboratory, first: Difference, replica: Trial) -> Cause | None:
    """Return memory that nobody has written, or an operation, as the cause; at the least as a suspect."""
    poisoned = poison(laboratory, first) if first.stage == "init" else None
    if poisoned is not None and (cause := judge_poison(laboratory, first, poisoned)) is not None:
        return cause
    again = repeat(laboratory, first, replica)
    found = again.first.op if again.first is not None else None
    is_uninitialized = found is not None and found.cause == "uninitialized"
    if not is_uninitialized and (cause := judge_repetition(laboratory, first, again, found)) is not None:
        return cause
    if poisoned is None:
        poisoned = poison(laboratory, first)
        if (cause := judge_poison(laboratory, first, poisoned)) is not None:
            return cause
    if not is_uninitialized and (cause := try_places(laboratory, first, poisoned)) is not None:
        return cause
    return None if found is None else name_op(laboratory, first, again, found)


def find_threads(replica: Trial, last_step: int) -> list[Suspect]:
    """Return the lines that started threads or processes before the divergence, once for each."""
    found = []
    for sources in read_ledgers(replica.trace).values():
        for source in sources.values():
            if source.source in STARTED and source.steps and source.steps[0] <= last_step:
                suspect = Suspect(
                    key=source.key, kind="concurrency", source=source.source, file=source.file, line=source.line
                )
                found += [suspect] * len(source.values)
    return found


def try_turns(laboratory: Laboratory, first: Difference, threads: list[Suspect]) -> Cause | None:
    """Return the race of threads as the cause, if two runs in which they take turns are identical."""
    plan = Plan(baseline=str(laboratory.setting.request.trace), serializes=True)
    one = laboratory.run("everything replayed, threads take turns", plan, num_steps=first.step + 1)
    two = laboratory.run("the same once more", plan, num_steps=first.step + 1, compare_with=one.trace)
    if not two.agrees_through(first.step):
        return None
    evidence = (
        f"two runs with everything replayed in which threads take turns are identical through step {first.step} "
        f"(experiments {one.number} and {two.number}); with everything replayed but threads running freely they differ"
    )
    return name_cause(threads[0], laboratory.setting.request.folder, first.step, evidence, is_confirmed=True)


def try_addresses(laboratory: Laboratory, first: Difference, replica: Trial) -> Cause | None:
    """Return a line that orders objects by their addresses as the cause, if runs with fixed addresses are identical."""
    places = [
        suspect
        for suspect in collect_suspects(read_ledgers(replica.trace), {}, first.step)
        if suspect.kind == "process-identity" and suspect.key.startswith(BY_ADDRESS)
    ]
    if not places:
        return None
    baseline, num_steps = str(laboratory.setting.request.trace), first.step + 1
    plan = Plan(baseline=baseline, watches_orders=True, pins_addresses=True)
    told = "everything replayed, objects at fixed addresses"
    one = laboratory.run(told, plan, num_steps=num_steps)
    two = laboratory.run("the same once more", plan, num_steps=num_steps, compare_with=one.trace)
    if not two.agrees_through(first.step):
        return None
    chosen = places[0]
    for suspect in places if len(places) > 1 else ():
        trial = laboratory.run(
            f"{told}, another order at {suspect.file}:{suspect.line}",
            replace(plan, perturbs=(suspect.key,)),
            num_steps=num_steps,
            compare_with=one.trace,
        )
        if not trial.agrees_through(first.step):
            chosen = suspect
            break
    evidence = (
        f"two runs with everything replayed and objects at fixed addresses are identical through step {first.step} "
        f"(experiments {one.number} and {two.number}); with everything replayed but addresses as they come they differ"
    )
    return name_cause(chosen, laboratory.setting.request.folder, first.step, evidence, is_confirmed=True)


def poison(laboratory: Laboratory, first: Difference) -> Trial:
    """Run with everything replayed and marks in all memory that nobody has written."""
    return laboratory.run(
        "everything replayed, uninitialised memory filled with marked NaNs",
        Plan(baseline=str(laboratory.setting.request.trace), watches_memory=True),
        num_steps=first.step + 1,
        probes=Probes(poisons=True),
    )


def judge_poison(laboratory: Laboratory, first: Difference, trial: Trial) -> Cause | None:
    """Return memory that nobody has written as the cause, if a marked value from it reaches the divergence."""
    found = read_poisoned(trial.trace, first.rank)
    if found is None or found.step > first.step or not found.file:
        return None
    evidence = (
        f"memory that was allocated on this line and never written reaches {found.stage} {found.name} in step "
        f"{found.step}: {found.num_poisoned} of its {found.num_elements} elements come from the marks that experiment "
        f"{trial.number} had put there"
    )
    return name_memory(laboratory, first, found.file, found.line, evidence)


def try_places(laboratory: Laboratory, first: Difference, poisoned: Trial) -> Cause | None:
    """Return a line whose new memory decides what is computed, although nothing of the marks is left (`nan_to_num`).

    Two runs with the same marks must be identical, and another value in the memory of that line alone must change them.
    """
    if read_poisoned(poisoned.trace, first.rank) is not None:
        return None
    folder = laboratory.setting.request.folder
    places = sorted(read_poisoned_places(poisoned.trace, first.rank), key=lambda place: not says_so(folder, *place))
    if not places:
        return None
    plan = Plan(baseline=str(laboratory.setting.request.trace), watches_memory=True)
    num_steps = first.step + 1
    again = laboratory.run(
        "the same once more", plan, num_steps=num_steps, probes=Probes(poisons=True), compare_with=poisoned.trace
    )
    if not again.agrees_through(first.step):
        return None
    for file, line in places[:MAX_PLACES]:
        other = laboratory.run(
            f"the same with other values in the memory that {file}:{line} allocates",
            plan,
            num_steps=num_steps,
            probes=Probes(poisons=True, other_memory=(file, line)),
            compare_with=poisoned.trace,
        )
        if other.problem is None and not other.agrees_through(first.step):
            evidence = (
                f"what the memory holds that this line allocates decides what is computed: two runs with the same "
                f"values in it are identical through step {first.step} (experiments {poisoned.number} and "
                f"{again.number}), other values make it diverge (experiment {other.number})"
            )
            return name_memory(laboratory, first, file, line, evidence)
    return None


def says_so(folder: Path, file: str, line: int) -> bool:
    """Whether a line says itself that it allocates memory without writing it: most others call what writes it."""
    text = linecache.getline(str(folder / file), line)
    return any(word in text for word in ALLOCATING)


def name_memory(laboratory: Laboratory, first: Difference, file: str, line: int, evidence: str) -> Cause:
    """Return memory that a line allocates, and that nothing writes before it is read, as the cause."""
    suspect = Suspect(
        key=f"torch.empty@{file}:{line}", kind="uninitialized-memory", source="torch.empty", file=file, line=line
    )
    return name_cause(suspect, laboratory.setting.request.folder, first.step, evidence, is_confirmed=True)


def repeat(laboratory: Laboratory, first: Difference, replica: Trial) -> Trial:
    """Run once more with everything replayed, every operation of the divergent step executed several times."""
    step = first.step
    return laboratory.run(
        f"everything replayed, each operation of step {step} repeated",
        Plan(baseline=str(laboratory.setting.request.trace)),
        num_steps=step + 1,
        probes=Probes(ops_steps=window_of(step), keeps_op_values=True, repeats_ops=True),
        compare_with=replica.trace,
    )


def judge_repetition(
    laboratory: Laboratory, first: Difference, trial: Trial, found: OpDifference | None
) -> Cause | None:
    """Return the operation that gave different bits for the same inputs within one run."""
    repetitions = read_repetitions(trial.trace, first.rank)
    unstable = [] if repetitions is None else [op for op in repetitions.unstable if is_before(op, first)]
    if not unstable:
        return None
    same = [op for op in unstable if found is not None and (op.name, op.line) == (found.name, found.line)]
    op = (same or unstable)[0]
    removed = f"with {' or with '.join(op.stable_with)} always the same" if op.stable_with else "no condition helped"
    evidence = (
        f"{op.name} ({op.phase}) gave {op.num_distinct} different results in {op.num_results} executions on the same "
        f"inputs (experiment {trial.number}); {removed}"
    )
    suspect = Suspect(
        key=f"{op.name}@{op.file}:{op.line}",
        kind="nondeterministic-op",
        source=op.name,
        file=op.file or None,
        line=op.line or None,
    )
    return name_cause(suspect, laboratory.setting.request.folder, first.step, evidence, is_confirmed=True)


def is_before(op: UnstableOp, first: Difference) -> bool:
    """Whether an operation was executed before the divergence: what comes after has not made it."""
    return first.num_events is None or op.num_events <= first.num_events


def window_of(step: int) -> tuple[int, int]:
    """Return the steps whose operations are recorded: what comes and goes may show a little earlier the next time."""
    return (0 if step <= MAX_EARLIER_STEPS else step, step)


def name_op(laboratory: Laboratory, first: Difference, trial: Trial, found: OpDifference) -> Cause:
    """Return the operation at which two runs part although everything was replayed.

    That memory which nobody had written was read, and held other bits, is seen in the comparison itself. That an
    operation has no result of its own is only suspected, if it was stable when it was repeated. One that was given
    other data is not suspected: the data are; nor one that drew other numbers: the seed is.
    """
    is_uninitialized = found.cause == "uninitialized"
    suspect = Suspect(
        key=f"{found.name}@{found.file}:{found.line}",
        kind=KINDS[found.cause],
        source="torch" if found.cause == "random" else found.name,
        file=found.file or None,
        line=found.line or None,
    )
    repeated = "; it was stable when repeated" if found.cause == "computed" else ""
    evidence = f"with everything replayed, {found.explanation} (experiment {trial.number}){repeated}"
    return name_cause(suspect, laboratory.setting.request.folder, first.step, evidence, is_confirmed=is_uninitialized)


def find_varied_op(laboratory: Laboratory, first: Difference, replica: Trial, varied: Suspect) -> Cause | None:
    """Return the operation that computes otherwise under changed surroundings, or None if it does not matter.

    Args:
        laboratory: Where experiments are made.
        first: The divergence.
        replica: The run with everything replayed, whose operations at the divergent step were recorded.
        varied: The variation, such as ``vary:threads``.
    """
    step = first.step
    trial = laboratory.run(
        f"everything replayed, under another {varied.source}",
        Plan(baseline=str(laboratory.setting.request.trace)),
        num_steps=step + 1,
        variations=(varied.source,),
        probes=Probes(ops_steps=window_of(step), keeps_op_values=True),
        compare_with=replica.trace,
    )
    if trial.agrees_through(step):
        return None
    found = trial.first.op if trial.first is not None else None
    told = f"with everything replayed, another {varied.source} alone makes the run diverge (experiment {trial.number})"
    if found is None:
        return name_cause(varied, laboratory.setting.request.folder, step, told, is_confirmed=True)
    suspect = replace(varied, source=found.name, file=found.file or None, line=found.line or None)
    return name_cause(
        suspect, laboratory.setting.request.folder, step, f"{told}: {found.explanation}", is_confirmed=True
    )

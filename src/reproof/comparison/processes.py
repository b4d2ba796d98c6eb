"""Compare two runs of several processes, each with the same one of the other run, and say where they part.

Processes do not share a clock, so that the first divergence is found for each. The earliest by cause is told: that of
a process whose parent had not diverged before it started it, and rather its own than its parent's, which may only have
looked at what the child computed.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from reproof.comparison.agreement import find_disagreements
from reproof.comparison.outputs import judge_output
from reproof.schema import STAGES, Comparison, Origin, Skipped, StageCount, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from reproof.schema import Difference, Stage
    from reproof.trace import Trace

Compared = tuple[Origin, Comparison]
"""A process that another has started, and what came of comparing it."""


def compare_processes(
    baseline: Trace, candidate: Trace, compare_own: Callable[[Trace, Trace], Comparison], max_differences: int
) -> Comparison:
    """Compare all processes of two runs.

    `compare_own` compares two traces without regard to their children. Raises TraceError if one of the traces is
    damaged.
    """
    own = compare_own(baseline, candidate)
    a, b = baseline.children, candidate.children
    compared = [(origin_of(a[label]), compare_own(a[label], b[label])) for label in a if label in b]
    alone = [*describe_alone(baseline, candidate, "baseline"), *describe_alone(candidate, baseline, "candidate")]
    lost = [*describe_lost(baseline, "baseline"), *describe_lost(candidate, "candidate")]
    joined = join(own, compared, max(1, max_differences)) if compared else own
    structure = [*joined.structure, *alone]
    if not joined.num_events:
        structure.append("the two runs have no event in common")
    joined = replace(
        joined,
        structure=tuple(structure),
        skipped=(*joined.skipped, *lost),
        agreement=join_agreement(find_disagreements(baseline), find_disagreements(candidate)),
    )
    return replace(joined, verdict=judge_output(judge(joined), joined.output))


def join_agreement(baseline: tuple[str, ...], candidate: tuple[str, ...]) -> tuple[str, ...]:
    """Return in what the ranks of two runs do not agree: what both have once, the rest with its run."""
    both = [told for told in baseline if told in candidate]
    alone = [
        f"in the {owner} alone: {told}"
        for owner, own in (("baseline", baseline), ("candidate", candidate))
        for told in own
        if told not in both
    ]
    return (*both, *alone)


def origin_of(trace: Trace) -> Origin:
    """Return where a process comes from that another has started; a trace that does not say so has only its name."""
    return trace.header.origin or Origin(label=trace.folder.name)


def describe_alone(one: Trace, other: Trace, owner: str) -> list[str]:
    """Say which processes trained in one run alone."""
    labels = [label for label in one.children if label not in other.children and label not in other.lost]
    return [f"only the {owner} has {origin_of(one.children[label])}" for label in labels]


def describe_lost(trace: Trace, owner: str) -> list[Skipped]:
    """Say which processes of a run are not recorded, although they trained."""
    return [Skipped(what=f"process {label} of the {owner}", why=why) for label, why in trace.lost.items()]


def join(own: Comparison, compared: list[Compared], max_differences: int) -> Comparison:
    """Add up what came of all processes; the verdict is still that of the first."""
    parts = [own, *(comparison for _, comparison in compared)]
    chosen = choose_first(own, compared)
    others = sorted((p for p in parts if p is not chosen), key=order_of_first)
    ordered = [difference for part in ([] if chosen is None else [chosen, *others]) for difference in part.differences]
    return replace(
        own,
        num_events=sum(part.num_events for part in parts),
        num_tensors=sum(part.num_tensors for part in parts),
        num_steps=max(part.num_steps for part in parts),
        counts=add_counts(parts),
        skipped=(
            *own.skipped,
            *(replace(s, what=f"{origin}: {s.what}") for origin, comparison in compared for s in comparison.skipped),
        ),
        structure=(*own.structure, *(f"{origin}: {told}" for origin, one in compared for told in one.structure)),
        first=None if chosen is None else chosen.first,
        differences=tuple(ordered[:max_differences]),
        losses=() if chosen is None else chosen.losses,
        rng=() if chosen is None else chosen.rng,
        num_within_tolerance=sum(part.num_within_tolerance for part in parts),
        is_verified=all(part.is_verified for part in parts),
        processes=tuple(str(origin) for origin, _ in compared),
        steps=(*own.steps, *(one._replace(process=origin.label) for origin, part in compared for one in part.steps)),
    )


def add_counts(parts: list[Comparison]) -> tuple[StageCount, ...]:
    """Return how many events of each stage were compared, and how many differ, in all processes."""
    compared: Counter[Stage] = Counter()
    differing: Counter[Stage] = Counter()
    for part in parts:
        for count in part.counts:
            compared[count.stage] += count.compared
            differing[count.stage] += count.differing
    return tuple(StageCount(stage=s, compared=compared[s], differing=differing[s]) for s in STAGES if compared[s])


def judge(joined: Comparison) -> Verdict:
    """Judge: *identical* only if nothing differs in any process, nothing was skipped and the structure is the same."""
    if joined.first is not None:
        return "diverged"
    if joined.skipped or joined.structure:
        return "inconclusive"
    return "equivalent" if joined.num_within_tolerance else "identical"


def choose_first(own: Comparison, compared: list[Compared]) -> Comparison | None:
    """Return the process whose first divergence is the earliest by cause, or None if none has diverged.

    Of processes of which none descends from another, it is the one that parts in the earliest step and stage.
    """
    by_label = {origin.label: (origin, comparison) for origin, comparison in compared}
    diverged = [(origin, found) for origin, found in compared if found.first is not None]
    caused = [(o, found) for o, found in diverged if not has_diverged_before(o, by_label, own)]
    if not caused:
        return own if own.first is not None else None
    deepest = [found for o, found in caused if not any(is_ancestor(o.label, other.label) for other, _ in caused)]
    return min(deepest, key=order_of_first)


def has_diverged_before(origin: Origin, by_label: dict[str, Compared], own: Comparison) -> bool:
    """Whether a process that this one descends from had diverged when it started the next on the way to this one."""
    while True:
        parent = find_parent(origin.label)
        known = by_label.get(parent)
        first = known[1].first if known is not None else own.first if "." not in parent else None
        if is_before(first, origin):
            return True
        if known is None:
            return False
        origin = known[0]


def find_parent(label: str) -> str:
    """Return the label of the process that has started another one, or the pool to which a task belongs."""
    parts = label.split(".")[:-1]
    while not parts[-1].isdecimal():
        parts.pop()
    return ".".join(parts)


def is_before(first: Difference | None, origin: Origin) -> bool:
    """Whether a divergence came before its process started another."""
    if first is None or first.num_events is None or origin.num_events is None:
        return False
    return first.num_events < origin.num_events


def is_ancestor(label: str, other: str) -> bool:
    """Whether a process has started another one, or one on the way to it."""
    return other.startswith(f"{label}.")


def order_of_first(comparison: Comparison) -> tuple[int, int]:
    """Return a key that sorts processes by the step and stage of their first divergence; those without one are last."""
    first = comparison.first
    return (1 << 63, 0) if first is None else (first.step, STAGES.index(first.stage))

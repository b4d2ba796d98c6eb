"""All rows of a report, from a comparison, its two traces, and the experiments that were made."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from reproof.report.batches import describe_batch
from reproof.report.causes import describe_causes
from reproof.report.curves import read_curves
from reproof.report.experiments import Experiment, describe_experiments
from reproof.report.operations import describe_distances, find_distances
from reproof.report.output import describe_output
from reproof.report.records import CoverageRow, CurveRow, FirstRow, Report, StepRow, VerdictRow
from reproof.report.resumes import NO_SHIFT, Shift, ShiftedRank
from reproof.report.samples import pair_samples, read_pictures
from reproof.report.sources import read_excerpt
from reproof.report.steps import count_stages, describe_maps, name_process, read_kept_steps
from reproof.report.surroundings import describe_conditions, describe_sources
from reproof.report.verdicts import describe_verdict
from reproof.schema import relative_to_here
from reproof.schema.telling import tell_size

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from reproof.report.records import CauseRow, Excerpt
    from reproof.report.steps import Place
    from reproof.schema import Comparison, Difference, OpDifference, RngGap
    from reproof.trace import Trace
    from reproof.trace.rank import RankTrace


def build_report(
    comparison: Comparison,
    baseline: Trace,
    candidate: Trace,
    *,
    experiments: Sequence[Experiment] = (),
    notes: Sequence[str] = (),
    was_explained: bool = False,
    folder: Path | None = None,
    shift: Shift = NO_SHIFT,
) -> Report:
    """Return the rows of a report.

    Args:
        comparison: Of the two traces, made with `maps_steps`.
        baseline: Its first trace.
        candidate: Its second trace.
        experiments: Those that were made to find a cause.
        notes: What else the search has to tell.
        was_explained: Whether causes were searched for.
        folder: Working folder of the runs, where their source is read; None for the current one.
        shift: How the candidate stands to the baseline. Of a resumed one, output and sources have no rows.

    Raises:
        TraceError: If a frame that is shown is damaged.
    """
    where, folders = folder or Path.cwd(), (baseline.folder, candidate.folder)
    digests = _digests_of(baseline)
    main, pair = _choose_process(comparison, baseline, candidate, shift)
    maps = describe_maps(comparison, main)
    steps = () if pair is None else read_kept_steps(*pair, comparison, maps, shift.start)
    curves = () if pair is None else read_curves(*pair)
    conditions, num_packages = describe_conditions(comparison.conditions, baseline, candidate)
    command, first = shlex.join(baseline.header.command), comparison.first
    batch = None if first is None or pair is None else describe_batch(*pair, first, is_plain=shift.start > 0)
    tried = describe_experiments(experiments, {number for cause in comparison.causes for number in cause.experiments})
    causes = describe_causes(comparison.causes, tried, where, digests)
    code = _read_line(first, where, digests)
    return Report(
        command=command,
        created=baseline.header.created,
        runs=comparison.runs,
        verdict=describe_verdict(comparison, was_explained=was_explained, command=command),
        first=None if first is None else describe_first(comparison, first, steps, curves, code),
        causes=tuple(_measure_causes(comparison, causes, experiments)),
        notes=tuple(notes),
        experiments=tried,
        maps=maps,
        steps=steps,
        curves=curves,
        batch=batch,
        samples=() if first is None else tuple(pair_samples(read_pictures(experiments, first, folders), batch)),
        output=None if shift.start else describe_output(folders, comparison.output),
        conditions=conditions,
        num_packages=num_packages,
        sources=() if shift.start else describe_sources(*folders, max((one.num_columns for one in maps), default=0)),
        coverage=describe_coverage(comparison),
        seconds=sum(map(_measure_time, (baseline, candidate))),
        agreement=comparison.agreement,
    )


def _measure_time(trace: Trace) -> float:
    """Return how long a run took until the last that it recorded, in seconds."""
    ranks = [rank for one in (trace, *trace.children.values()) for rank in one.ranks.values() if len(rank)]
    return max((rank.record(len(rank) - 1).elapsed_ms for rank in ranks), default=0) / 1000


def _measure_causes(
    comparison: Comparison, rows: Iterable[CauseRow], experiments: Sequence[Experiment]
) -> Iterator[CauseRow]:
    """Yield the causes with how far apart the results of their operations lie."""
    first = comparison.first
    for cause, row in zip(comparison.causes, rows, strict=True):
        yield row if first is None else replace(row, ulps=find_distances(cause, experiments, first))


def _choose_process(
    comparison: Comparison, baseline: Trace, candidate: Trace, shift: Shift
) -> tuple[Place | None, tuple[RankTrace, RankTrace] | None]:
    """Return the process that parted first, in both runs; else the first that both have and that trained."""
    first, label = comparison.first, None
    if first is not None:
        label = first.process
    elif not baseline.num_steps:  # a launcher, say
        label = next((name for name in baseline.children if name in candidate.children), None)
    a, b = baseline.of_process(label), candidate.of_process(label)
    if a is None or b is None:
        return None, None
    rank = min(set(a.ranks) & set(b.ranks), default=None) if first is None else first.rank
    if rank is None or rank not in a.ranks or rank not in b.ranks:
        return None, None
    pair = a.ranks[rank], b.ranks[rank]
    return (label, rank), (ShiftedRank(pair[0]), ShiftedRank(pair[1], shift)) if shift.start else pair


def _digests_of(trace: Trace) -> dict[str, str]:
    """Return the digest of the script as it ran, by its absolute path."""
    code = trace.header.environment.get("code")
    if not isinstance(code, dict) or not code.get("script") or not code.get("script_sha256"):
        return {}
    return {str(Path(str(code["script"])).resolve()): str(code["script_sha256"])}


def _read_line(first: Difference | None, folder: Path, digests: dict[str, str]) -> Excerpt | None:
    """Return the code around the operation at which the runs part."""
    op = None if first is None else first.op
    return None if op is None or not op.file else read_excerpt(folder, relative_to_here(op.file), op.line, digests)


def describe_first(
    comparison: Comparison,
    first: Difference,
    steps: Sequence[StepRow],
    curves: Sequence[CurveRow],
    excerpt: Excerpt | None,
) -> FirstRow:
    """Return the first divergence with its step."""
    largest = ""
    if first.max_abs is not None and first.num_differing:
        largest = f"{first.max_abs:g}" + ("" if first.max_ulp is None else f" ({first.max_ulp:,} ulp)")
    return FirstRow(
        place=first.place,
        process=name_process(comparison, (first.process, first.rank)),
        step=first.step,
        stage=first.stage,
        detail=first.detail or "",
        name=first.name,
        explanation=first.explanation or "",
        baseline=first.baseline,
        candidate=first.candidate,
        largest=largest,
        stages=()
        if first.stage == "output"
        else count_stages(next((row for row in steps if row.step == first.step), None)),
        became=tuple(_say_what_became(comparison, curves)),
        rng=tuple(_say_rng(comparison.rng)),
        op="" if first.op is None else _say_op(first.op),
        op_tensors=() if first.op is None else first.op.tensors,
        ulps=describe_distances(first.op),
        excerpt=excerpt,
    )


def _say_what_became(comparison: Comparison, curves: Sequence[CurveRow]) -> Iterator[str]:
    gaps = comparison.losses
    if gaps:
        yield f"The loss is {tell_size(gaps[0].size)} apart in step {gaps[0].step:,}"
        if len(gaps) > 1:
            yield f"and {tell_size(gaps[-1].size)} in step {gaps[-1].step:,}, the last."
    elif any(row.stage == "loss" and not row.num_differing for row in curves):
        yield "The loss does not differ in any step."


def _say_rng(gaps: Sequence[RngGap]) -> Iterator[str]:
    for gap in gaps:
        if not gap.differing:
            yield f"after step {gap.step:,}: all states agree"
        else:
            told = ", ".join(gap.differing)
            yield f"after step {gap.step:,}: {told} in other states, which is no evidence by itself"


def _say_op(op: OpDifference) -> str:
    module = f" of {op.module}" if op.module else ""
    return f"{op.name} ({op.phase}){module}: {op.explanation}"


def describe_coverage(comparison: Comparison) -> CoverageRow:
    """Return what was compared."""
    skipped = [(one.what, one.why) for one in comparison.skipped]
    if comparison.output is not None:
        skipped += [(one.what, one.why) for one in comparison.output.not_compared]
    level = "" if comparison.level is None else f"Recorded at level {comparison.level}."
    return CoverageRow(
        num_events=comparison.num_events,
        num_tensors=comparison.num_tensors,
        num_steps=comparison.num_steps,
        stages=comparison.counts,
        skipped=tuple(skipped),
        structure=comparison.structure,
        limits=(*((level,) if level else ()), *comparison.limits),
        beside=tuple(map(str, comparison.beside)),
    )


def make_empty(name: str) -> Report:
    """Return a report of nothing but its name."""
    nothing = VerdictRow(verdict="inconclusive", glyph="?", headline="", meaning=(), equal_share=0.0, bar_label="")
    return Report(
        command=name,
        created="",
        runs=("", ""),
        verdict=nothing,
        first=None,
        causes=(),
        notes=(),
        experiments=(),
        maps=(),
        steps=(),
        curves=(),
        batch=None,
        output=None,
        conditions=(),
        num_packages=0,
        sources=(),
        coverage=CoverageRow(num_events=0, num_tensors=0, num_steps=0, stages=(), skipped=(), structure=(), limits=()),
    )

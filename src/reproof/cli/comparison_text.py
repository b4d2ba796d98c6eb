"""Draw a comparison for a person at a terminal.

Plain text with a few colours rather than a library of tables: a comparison of two long traces takes milliseconds, and
importing `rich` would take longer than that.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import click

from reproof.cli.cause_text import cause_lines
from reproof.cli.lines import echo_lines, limit, section
from reproof.cli.loss_plot import draw_losses
from reproof.cli.output_text import output_lines
from reproof.cli.screen import find_screen
from reproof.cli.step_map import draw_map
from reproof.schema import relative_to_here
from reproof.schema.telling import plural, printable, tell_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reproof.schema import Comparison, Difference, OpDifference

MAX_NAMED = 3
"""Models that are named in the verdict."""

DIGEST: Final = re.compile("[0-9a-f]{32}")
FILE_DIGEST: Final = re.compile(r"^([0-9a-f]{12})[0-9a-f]{52}$")
"""A SHA-256, of which the beginning is enough to see that it is another one."""

COLOURS = {"identical": "green", "equivalent": "green", "diverged": "red", "inconclusive": "yellow"}
VERIFIED = {
    True: "every byte of both traces",
    False: "digests that are called equal; `reproof compare --verify` checks every byte",
}


def draw_comparison(comparison: Comparison, *, quiet: bool = False) -> None:
    """Print the verdict and what it rests on."""
    verdict = click.style(comparison.verdict, fg=COLOURS[comparison.verdict], bold=True)
    echo_lines([f"{verdict}: {summarise(comparison)}", *([] if quiet else body(comparison))])


def summarise(comparison: Comparison) -> str:
    """Say the verdict in one sentence: what limits it first, then the finding with the level, then what it rests on."""
    told = []
    if not comparison.num_steps and comparison.is_verified is not None:
        told.append("no training step was recorded")
    if comparison.num_events or not told:
        told.append(tell_finding(comparison))
    else:  # why is known where both runs ended in the same way
        reasons = {skipped.why for skipped in comparison.skipped}
        told += [printable(why) for why in reasons] if len(reasons) == 1 else []
    if comparison.agreement:
        told.append("but processes that train together do not agree")
    if comparison.is_same_run:
        told.append("both are one recording: a run compared with itself or its copy")
    if comparison.verdict in {"identical", "equivalent"} and comparison.is_verified is False:
        told.append("checksums not verified")
    return "; ".join(told)


def tell_finding(comparison: Comparison) -> str:
    """Say what came of comparing, and of how much."""
    amount = tell_amount(comparison)
    level = "" if comparison.level is None else f"level {comparison.level}"
    if comparison.first is not None:
        return tell_parting(comparison, comparison.first)
    if comparison.verdict == "identical":
        tensors = plural(comparison.num_tensors, "tensor")
        if comparison.level == "batches":
            return f"the batches are equal to the bit, {amount} ({tensors}); nothing else is recorded at {level}"
        return f"every bit of {amount} is equal ({tensors}, {level})"
    if comparison.verdict == "equivalent":
        agreed = f"{amount} agree within {comparison.tolerance:g}{f' ({level})' if level else ''}"
        apart = comparison.num_within_tolerance
        return f"{agreed}; {f'{apart} of them not' if apart else 'all of them'} to the bit"
    if comparison.output is not None and comparison.output.is_open and not (comparison.skipped or comparison.structure):
        return (
            f"no difference in {amount}, but the outputs differ, and whether that is noise is for an experiment to tell"
        )
    at = f" at {level}" if level else ""
    why = "" if comparison.unfinished is None else f": {printable(comparison.unfinished)}"
    return f"no difference in {amount}{at}, and not everything was compared{why}"


def tell_parting(comparison: Comparison, first: Difference) -> str:
    """Say where the runs part; first that everything of what is trained is equal, if it is."""
    place = f"in {first.place}" if first.is_within_steps else first.place
    if comparison.is_verified is None:  # a hand-made record has batches and no steps
        place = f"in batch {first.step}"
    process = "" if first.process is None else f" of process {first.process}"
    where = f"the runs part {place}{process}, stage {first.stage}"
    if not comparison.untrained:
        return where
    names = ", ".join(printable(name) for name in comparison.untrained[:MAX_NAMED])
    output = "" if comparison.output is None else ", output"
    equal = f"everything of what is trained is equal: losses, gradients, updates, final state{output}"
    return f"{equal}; {where}, by what no optimizer ever holds: {names}"


def tell_amount(comparison: Comparison) -> str:
    """Say how much was compared."""
    if comparison.is_verified is None:  # records of the hand-made check
        return f"{plural(comparison.num_events, 'field')} of {plural(comparison.num_steps, 'batch', 'batches')}"
    told = plural(comparison.num_events, "event")
    if comparison.num_steps:
        told += f" of {plural(comparison.num_steps, 'step')}"
    if comparison.processes:
        told += f" and {plural(len(comparison.processes), 'child process', 'child processes')}"
    return told


def stage_lines(comparison: Comparison) -> list[str]:
    """Return a line per stage: its events, and, of runs that part, at which steps they differ."""
    lines = []
    for stage in comparison.counts:
        verb = "differs" if stage.differing == 1 else "differ"
        state = f"{stage.differing} of them {verb}" if stage.differing else "equal"
        lines.append(f"  {stage.stage:<9}  {plural(stage.compared, 'event')}, {state}")
    first = comparison.first
    place = None if first is None else (first.process, first.rank)
    steps = next((one for one in comparison.steps if (one.process, one.rank) == place), None)
    if steps is None:
        return lines
    left = max(map(len, lines), default=0) + 3
    screen = find_screen()
    drawn = draw_map(steps, width=screen.width - left - 1, is_unicode=screen.is_unicode)
    stages = [count.stage for count in comparison.counts]
    return [f"{line:<{left}}{drawn.get(stage, '')}".rstrip() for stage, line in zip(stages, lines, strict=True)]


def body(comparison: Comparison, start: int = 0) -> list[str]:
    """Return the lines below the verdict; `start` is the step with which the candidate begins."""
    lines = [f"  baseline   {printable(comparison.runs[0])}", f"  candidate  {printable(comparison.runs[1])}"]
    if comparison.is_verified is not None:
        lines.append(f"  verified   {VERIFIED[comparison.is_verified]}")
    if comparison.processes:
        lines.append(f"  children   {printable('; '.join(limit(comparison.processes)))}")
    if comparison.counts:
        lines.append("")
    lines += stage_lines(comparison)
    lines += section("First divergence", [] if comparison.first is None else difference_lines(comparison.first))
    title = "Cause" if len(comparison.causes) == 1 else f"{len(comparison.causes)} causes"
    lines += section(title, cause_lines(comparison.causes))
    others = [short_line(difference) for difference in comparison.differences[1:]]
    lines += section("Then", others)
    lines += section("Growth", growth_lines(comparison, start))
    lines += section("Ranks", limit(comparison.agreement))
    lines += section("Output", output_lines(comparison.output))
    lines += section("Beside the training", limit(tuple(map(str, comparison.beside))))
    lines += section("Structure", limit(comparison.structure if comparison.num_events else ()))
    lines += section("Not shown", list(comparison.limits))
    lines += section("Not compared", limit(tuple(f"{s.what}: {s.why}" for s in comparison.skipped)))
    lines += section("Conditions that differ", limit(tuple(condition_lines(comparison))))
    return lines


def growth_lines(comparison: Comparison, start: int) -> list[str]:
    """Return how the losses grow apart, and which random number generators are in other states."""
    lines = []
    if comparison.losses:
        first, *later = comparison.losses
        points = [f"{tell_size(gap.size)} in step {gap.step}" for gap in (first, *later[-3:])]
        lines.append(f"the loss differs by {', '.join(points)}")
    elif comparison.first is not None and any(count.stage == "loss" for count in comparison.counts):
        lines.append("the loss does not differ, as far as it was compared")
    lines += draw_losses(comparison, find_screen(), start)
    for gap in comparison.rng:
        verb = "differs" if len(gap.differing) == 1 else "differ"
        differing = f"{', '.join(gap.differing)} {verb}, which is no evidence by itself"
        told = differing if gap.differing else f"all {gap.num_compared} agree"
        lines.append(f"random number generators after step {gap.step}: {told}")
    return lines


def difference_lines(difference: Difference) -> list[str]:
    """Return the lines that show the first divergence."""
    rank = f"rank {difference.rank}, " if difference.rank else name_process(difference)
    kind = f" ({difference.detail})" if difference.detail else ""
    lines = [f"{rank}{difference.place}, {difference.stage}{kind}: {printable(difference.name)}"]
    if difference.explanation:
        lines.append(click.style(printable(difference.explanation), bold=True))
    sides = difference.baseline, difference.candidate
    note = "    (digests: one bit changes all of it)" if all(map(DIGEST.fullmatch, sides)) else ""
    lines += [f"baseline   {printable(sides[0])}{note}", f"candidate  {printable(sides[1])}"]
    if difference.num_differing and difference.max_abs is not None:
        ulp = "" if difference.max_ulp is None else f", {difference.max_ulp} ulp"
        lines.append(f"largest difference {difference.max_abs:g}{ulp}")
    return lines + (op_lines(difference.op) if difference.op is not None else [])


def name_process(difference: Difference) -> str:
    """Return the beginning of a line about a process that another has started."""
    return "" if difference.process is None else f"process {difference.process}, "


def op_lines(op: OpDifference) -> list[str]:
    """Return the lines that show the operation at which the runs part."""
    module = f" of {op.module}" if op.module else ""
    where = f", {relative_to_here(op.file)}:{op.line} in {op.function}" if op.file else ""
    lines = [click.style(printable(f"operation {op.name} ({op.phase}){module}{where}"), bold=True)]
    lines.append(printable(op.explanation))
    lines += [f"  {printable(told)}" for told in op.tensors]
    for index, baseline, candidate in op.examples:
        lines.append(f"  [{', '.join(map(str, index))}]  {baseline!s} → {candidate!s}")
    return lines


def short_line(difference: Difference) -> str:
    """Return one line for a later difference."""
    kind = f" ({difference.detail})" if difference.detail else ""
    told = f": {difference.explanation}" if difference.explanation else ""
    place = f"{name_process(difference)}{difference.place}, {difference.stage}{kind}"
    return printable(f"{place}: {difference.name}{told}")


def condition_lines(comparison: Comparison) -> Iterator[str]:
    """Yield one line for each circumstance that differs."""
    is_blamed = any(cause.kind == "hash-order" for cause in comparison.causes)
    for one in comparison.conditions:
        is_meant = one.name == "python.hash_seed" and not is_blamed
        note = "    (drawn anew for each run, on purpose)" if is_meant else ""
        baseline, candidate = (FILE_DIGEST.sub(r"\1…", side) for side in (one.baseline, one.candidate))
        yield f"{one.name}: {baseline} → {candidate}{note}"

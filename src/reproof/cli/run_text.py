"""Draw what is in a trace for a person at a terminal: first records, then lines, then colours."""

from __future__ import annotations

import math
import textwrap
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Final

from reproof.cli.lines import limit
from reproof.cli.plot import draw_bars, draw_curve, format_value, is_logarithmic
from reproof.cli.table import Column, draw_table
from reproof.launch.command import describe_command as spell_command
from reproof.schema.telling import plural
from reproof.trace.header import created_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reproof.cli.screen import Screen
    from reproof.environment.highlights import Plain, RunCondition
    from reproof.schema import RunHeader
    from reproof.trace.views.curves import Curve
    from reproof.trace.views.steps import StepEvent, StepRecord
    from reproof.trace.views.summary import ChildSummary, EventCount, RunSummary

PLOT_LINES: Final = 10
MAX_CURVES: Final = 3
MAX_NUMBERS: Final = 6
BAR_COLUMNS: Final = 24
KEPT_SPACE: Final = "\xa0"
"""Stands for a space at which lines are not broken."""

LABEL_COLUMNS: Final = 13


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text and how it stands out."""

    text: str
    colour: str | None = None
    is_bold: bool = False


@dataclass(frozen=True, slots=True)
class Fact:
    """Something about a run, beside its label."""

    label: str
    text: str
    colour: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRow:
    """A row of the table of stages."""

    name: str
    num_events: int
    num_tensors: int
    num_skipped: int


STAGE_COLUMNS: Final[tuple[Column[StageRow], ...]] = (
    Column(title="stage", show=lambda row: row.name, width=LABEL_COLUMNS),
    Column(title="events", show=lambda row: f"{row.num_events:,}", width=12, is_right=True),
    Column(title="tensors", show=lambda row: f"{row.num_tensors:,}", width=12, is_right=True),
    Column(title="skipped", show=lambda row: f"{row.num_skipped:,}", width=12, is_right=True),
)
"""Of the table of stages; the last is left out where nothing was skipped."""


RANK_COLUMNS: Final[tuple[Column[ChildSummary], ...]] = (
    Column(title="rank", show=lambda child: str(child.rank), is_right=True),
    Column(title="process", show=lambda child: child.label),
    Column(title="steps", show=lambda child: f"{child.num_steps:,}", is_right=True),
    Column(title="events", show=lambda child: f"{child.num_events:,}", is_right=True),
    Column(title="last loss", show=lambda child: "" if child.last_loss is None else f"{child.last_loss:.8g}"),
    Column(title="ended", show=lambda child: child.incomplete or "complete"),
)
"""Of the table of processes that train together."""


def draw_overview(summary: RunSummary, conditions: Sequence[RunCondition], screen: Screen) -> list[Line]:
    """Return everything but single steps."""
    lines = [Line(summary.folder, is_bold=True), *describe_run(summary, screen.width)]
    lines += draw_damage(summary)
    problems = summary.header.problems if summary.header is not None else ()
    lines += draw_section("Evidence that could not be taken", limit(problems), "yellow")
    lines += draw_section("Conditions", describe_conditions(conditions, summary, screen.width))
    lines += draw_section("Recorded", tabulate_stages(summary))
    lines += draw_section("Ranks", tabulate_ranks(summary))
    lines += draw_section("Children", limit(tuple(describe_child(child) for child in summary.children)))
    lines += draw_section(
        "Without a digest", limit(tuple(describe_skipped(found) for found in summary.skipped)), "yellow"
    )
    for curve in summary.losses[:MAX_CURVES]:
        lines += draw_section(title_curve(curve), plot_curve(curve, screen))
    lines += draw_section("Losses not shown", limit(tuple(curve.name for curve in summary.losses[MAX_CURVES:])))
    return lines + draw_section("Metrics", limit(tuple(describe_metrics(summary.metrics, screen))))


def tabulate_ranks(summary: RunSummary) -> list[str]:
    """Return a table of the processes that train together; nothing for a training in one process."""
    ranks = [child for child in (*summary.first, *summary.children) if child.rank is not None]
    return draw_table(RANK_COLUMNS, sorted(ranks, key=lambda child: child.rank or 0)) if ranks else []


def describe_child(child: ChildSummary) -> str:
    """Return what a process recorded that another one has started."""
    amount = f"{plural(child.num_events, 'event')} of {plural(child.num_steps, 'step')}"
    return f"{child.name}: {amount}{'' if child.incomplete is None else f'; {child.incomplete}'}"


def draw_damage(summary: RunSummary) -> list[Line]:
    """Return what cannot be read, if anything."""
    return draw_section("Damaged", limit(summary.damage), "red")


def describe_run(summary: RunSummary, width: int) -> list[Line]:
    """Return what the run was and how it ended."""
    header = summary.header
    facts = [describe_end(summary)]
    if header is not None:
        started = created_at(header).isoformat(" ", "seconds")
        facts = [Fact("command", describe_command(header.command)), Fact("started", started), *facts]
    if summary.num_frames:
        facts.append(Fact("lasted", f"{describe_seconds(summary.elapsed_seconds)} until the last step was recorded"))
    facts += [Fact("recorded", describe_amount(summary)), Fact("size", describe_size(summary))]
    if header is not None:
        facts += [Fact("level", describe_level(summary)), Fact("processes", describe_ranks(summary))]
    return [Line(line, fact.colour) for fact in facts for line in wrap(fact.label, fact.text, width)]


def describe_command(command: Sequence[str]) -> str:
    """Return the command line that was recorded."""
    return spell_command(command) if command else "recorded from inside a script"


def describe_end(summary: RunSummary) -> Fact:
    """Return how the run ended, in plain words."""
    header = summary.header
    if header is None:
        return Fact("ended", "unknown", "red")
    code = "" if header.exit_code is None else f" (exit code {header.exit_code})"
    if header.status == "running":
        return Fact("ended", f"{summary.incomplete}: everything up to its last whole step is here", "yellow")
    if header.status != "complete":
        prefix = "failed: " if header.status == "failed" else ""
        return Fact("ended", f"{prefix}{summary.incomplete}{code}", "red")
    return describe_completion(summary, header, code)


def describe_completion(summary: RunSummary, header: RunHeader, code: str) -> Fact:
    """Return how a run ended whose status is *complete*."""
    if summary.incomplete is not None:
        return Fact("ended", f"complete, but {summary.incomplete}", "red")
    if header.problems:
        return Fact("ended", f"complete{code}, but some evidence could not be taken", "yellow")
    if header.num_steps is not None and summary.num_steps >= header.num_steps:
        return Fact("ended", f"complete: stopped after {plural(header.num_steps, 'step')}, as it was told to", "green")
    return Fact("ended", f"complete: it came to its own end{code}", "green")


def describe_amount(summary: RunSummary) -> str:
    """Return how much was recorded."""
    if not summary.num_events:
        if summary.damage:
            return "nothing that can be read"
        return "nothing: no loader, model or optimizer was used" if is_over(summary) else "nothing: no step had ended"
    steps, events, frames = summary.num_steps, summary.num_events, summary.num_frames
    return f"{plural(steps, 'step')}, {plural(events, 'event')}, {plural(frames, 'frame')}"


def is_over(summary: RunSummary) -> bool:
    """Whether the run came to an end that the trace tells of."""
    return summary.header is not None and summary.header.status == "complete"


def describe_seconds(seconds: float) -> str:
    """Return a duration."""
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{seconds:.1f} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def describe_size(summary: RunSummary) -> str:
    """Return the size of the files, and what a step takes of it."""
    per_step = f", {describe_bytes(summary.num_bytes // summary.num_steps)} per step" if summary.num_steps else ""
    return f"{describe_bytes(summary.num_bytes)}{per_step}"


def describe_bytes(number: int) -> str:
    """Return a number of bytes in the largest unit that it fills."""
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return f"{number} B"


def describe_level(summary: RunSummary) -> str:
    """Return how much was to be recorded."""
    header = summary.header
    if header is None:
        return "unknown"
    parts: list[str] = ["batches (no losses or states)" if header.level == "batches" else header.level]
    if header.num_batches is not None:
        parts.append(f"at most {header.num_batches:,} batches of each loader")
    if header.statistics:
        parts.append("with statistics")
    return ", ".join(parts)


def describe_ranks(summary: RunSummary) -> str:
    """Return how many processes recorded, and whether they did the same number of steps."""
    expected = summary.header.num_ranks if summary.header is not None else len(summary.ranks)
    amount = f"{len(summary.ranks)} of {expected}" if len(summary.ranks) != expected else str(expected)
    counts = [f"{rank.num_steps} by rank {rank.rank}" for rank in summary.ranks]
    uneven = len({rank.num_steps for rank in summary.ranks}) > 1
    return f"{amount}; steps: {', '.join(limit(tuple(counts)))}" if uneven else amount


def describe_conditions(conditions: Sequence[RunCondition], summary: RunSummary, width: int) -> list[str]:
    """Return one line per topic."""
    lines: list[str] = []
    for topic, members in groupby(conditions, key=lambda condition: condition.topic):
        parts = (describe_condition(member).replace(" ", KEPT_SPACE) for member in members)
        lines += wrap(topic, ", ".join(parts), width, indent="")
    header = summary.header
    if header is not None and header.environment and "torch" not in header.environment:
        why = ": they are read when a recording ends" if header.status == "running" else ""
        lines += wrap("settings", f"those of PyTorch are unknown{why}", width, indent="")
    return lines


def describe_condition(condition: RunCondition) -> str:
    """Return the label and the value of a condition."""
    link = "=" if condition.topic == "variables" else ": "
    return f"{condition.label}{link}{spell(condition.value)}" if condition.label else spell(condition.value)


def spell(value: Plain) -> str:
    """Return a condition's value in words."""
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def tabulate_stages(summary: RunSummary) -> list[str]:
    """Return a table of events and tensors per stage."""
    rows = [
        StageRow(
            name=total.stage,
            num_events=total.num_events,
            num_tensors=total.num_tensors,
            num_skipped=total.num_skipped,
        )
        for total in summary.stages
    ]
    if len(rows) > 1:
        rows.append(add_up(rows))
    has_skipped = any(row.num_skipped for row in rows)
    return draw_table(STAGE_COLUMNS if has_skipped else STAGE_COLUMNS[:-1], rows) if rows else []


def add_up(rows: Sequence[StageRow]) -> StageRow:
    """Return the row of all stages together."""
    return StageRow(
        name="all",
        num_events=sum(row.num_events for row in rows),
        num_tensors=sum(row.num_tensors for row in rows),
        num_skipped=sum(row.num_skipped for row in rows),
    )


def describe_skipped(found: EventCount) -> str:
    """Describe evidence without a digest: how often, and why."""
    times = "once" if found.times == 1 else f"{found.times:,} times"
    return f"{found.event.stage} {found.event.name}, {times}: {found.event.skipped}"


def title_curve(curve: Curve) -> str:
    """Return the title of a plot: the name and how many values."""
    sampled = describe_sampling(curve)
    scale = ", logarithmic" if curve.finite and is_logarithmic([point.value for point in curve.finite]) else ""
    return f"{curve.name}, {plural(len(curve.points), 'value')}{sampled}{scale}"


def describe_sampling(curve: Curve) -> str:
    """Return how many of the values were read, unless all were."""
    return f", one in {curve.stride:,} read" if curve.stride > 1 else ""


def plot_curve(curve: Curve, screen: Screen) -> list[str]:
    """Return the plot of a curve that has more than one point, and its extremes."""
    drawn = []
    if len(curve.points) > 1:
        drawn = draw_curve(curve.points, width=screen.width - 2, height=PLOT_LINES, is_unicode=screen.is_unicode)
    extremes = textwrap.wrap(describe_extremes(curve), screen.width - 2, break_long_words=False)
    return [*drawn, *(line.replace(KEPT_SPACE, " ") for line in extremes)]


def describe_extremes(curve: Curve) -> str:
    """Return first and last value, the lowest and the highest, and how many are no numbers."""
    parts = [f"first {format_value(curve.points[0].value)}", f"last {format_value(curve.points[-1].value)}"]
    if finite := curve.finite:
        for name, choose in (("lowest", min), ("highest", max)):
            point = choose(finite, key=lambda point: point.value)
            parts.append(f"{name} {format_value(point.value)} in step {point.step}")
    odd = [point for point in curve.points if not math.isfinite(point.value)]
    if odd:
        parts.append(f"{len(odd)} NaN or infinite, from step {odd[0].step} on")
    return ", ".join(part.replace(" ", KEPT_SPACE) for part in parts)


def describe_metrics(metrics: Sequence[Curve], screen: Screen) -> list[str]:
    """Return one line per metric."""
    names = max((len(curve.name) for curve in metrics), default=0)
    lines = []
    for curve in metrics:
        values = [point.value for point in curve.points]
        bars = draw_bars(values, width=BAR_COLUMNS, is_unicode=screen.is_unicode) if len(values) > 1 else ""
        change = " -> ".join(format_value(value) for value in (values[0], values[-1])[: len(values)])
        sampled = describe_sampling(curve).removeprefix(", ")
        lines.append(f"{curve.name:<{min(names, 30)}}  {change:<22}  {bars}  {sampled}".rstrip())
    return lines


def draw_stage(events: Sequence[EventCount], folder: str, stage: str) -> list[Line]:
    """Return the events of one stage, with how often each happened."""
    if not events:
        return [Line(folder, is_bold=True), Line(f"  no events of stage {stage}")]
    times = max(len(f"{found.times:,}") for found in events)
    lines = [f"{found.times:>{times},} x  {name_event(found.event.name, found.event.detail)}" for found in events]
    reasons = [f": skipped, {found.event.skipped}" if found.event.skipped is not None else "" for found in events]
    shown = [f"{line}{reason}" for line, reason in zip(lines, reasons, strict=True)]
    return [Line(folder, is_bold=True), *draw_section(f"Events of stage {stage}", shown)]


def draw_steps(records: Iterable[StepRecord], folder: str) -> list[Line]:
    """Return one step as every process recorded it."""
    lines = [Line(folder, is_bold=True)]
    records = tuple(records)
    for record in records:
        rank = f", rank {record.rank}" if len(records) > 1 else ""
        late = ", after the last optimizer step" if record.is_after_last else ""
        ended = f"ended {describe_seconds(record.elapsed_seconds)} after the start"
        lines += [
            Line(""),
            Line(f"Step {record.step}{rank}{late}: {plural(len(record.events), 'event')}, {ended}", is_bold=True),
        ]
        for stage, events in groupby(record.events, key=lambda found: found.event.stage):
            lines.append(Line(f"  {stage}"))
            lines += [Line(f"    {describe_event(found)}") for found in events]
        states = [f"{state.digest}  {state.generator}" for state in record.rng]
        lines += draw_section("Random number generators at its end", states)
    return lines


def describe_event(found: StepEvent) -> str:
    """Return digest, name and numbers of an event."""
    name = name_event(found.event.name, found.event.detail)
    if found.digest is None:
        return f"{'skipped':<32}  {name}: {found.event.skipped}"
    return f"{found.digest}  {name}{describe_numbers(found)}"


def name_event(name: str, detail: str | None) -> str:
    """Return the name of an event, with *order* or *content* where it has one."""
    return f"{name} ({detail})" if detail else name


def describe_numbers(found: StepEvent) -> str:
    """Return the numbers that were kept with an event, in short."""
    if found.exact is not None:
        shown = ", ".join(map(str, found.exact[:MAX_NUMBERS]))
        more = f", … ({len(found.exact)})" if len(found.exact) > MAX_NUMBERS else ""
        return f" = {shown}{more}"
    return "".join(f", {name} {format_value(value)}" for name, value in found.statistics)


def draw_section(title: str, lines: Sequence[str], colour: str | None = None) -> list[Line]:
    """Return lines under a title; nothing if there are no lines."""
    return [Line(""), Line(title, colour, is_bold=True), *(Line(f"  {line}") for line in lines)] if lines else []


def wrap(label: str, text: str, width: int, indent: str = "  ") -> list[str]:
    """Return a text beside its label, broken into lines between words."""
    first, rest = f"{indent}{label:<{LABEL_COLUMNS}}", f"{indent}{'':{LABEL_COLUMNS}}"
    width -= 2 if not indent else 0  # a section indents it
    lines = textwrap.wrap(
        text, width, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )
    return [line.replace(KEPT_SPACE, " ") for line in lines] or [first.rstrip()]

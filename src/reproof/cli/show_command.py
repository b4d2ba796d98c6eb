"""`reproof show`: what is in a trace."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import click

from reproof.cli.json_output import OVERVIEW, JsonFile, json_option, write_json
from reproof.cli.options import COUNT, Options, Run, flag, option, pass_options
from reproof.cli.run_text import Line, describe_bytes, draw_damage, draw_overview, draw_stage, draw_steps
from reproof.cli.screen import find_screen
from reproof.environment.highlights import select_conditions
from reproof.errors import EXIT_ERROR, EXIT_SAME
from reproof.schema import STAGES, Stage
from reproof.schema.telling import plural
from reproof.trace.views.salvage import salvage_trace
from reproof.trace.views.steps import read_steps
from reproof.trace.views.summary import find_rank, list_events, summarise

if TYPE_CHECKING:
    from reproof.cli.screen import Screen
    from reproof.environment.highlights import RunCondition
    from reproof.trace.views.steps import StepRecord
    from reproof.trace.views.summary import EventCount, RunSummary

SHOW_SCHEMA = 1
"""Version of the JSON that `reproof show --json` writes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowOptions(Options):
    """The options of `reproof show`, as its help tells them."""

    run: Run
    step: Annotated[
        int | None,
        option("--step", type=int, metavar="N", help="Show the events of step N: digests, numbers, random generators."),
    ]
    stage: Annotated[
        Stage | None,
        option("--stage", type=click.Choice(STAGES), help="Show the events of one stage: of the run, or of step N."),
    ]
    rank: Annotated[
        int | None,
        option("--rank", type=COUNT, help="Show the process with rank N of those that train together."),
    ]
    verify: Annotated[bool, flag("--verify", help="Check every byte of the trace, too.")]
    json_file: Annotated[JsonFile | None, json_option(OVERVIEW)]


@click.command("show")
@pass_options(ShowOptions)
def command(options: ShowOptions) -> int:
    """Show what is in the trace RUN: how the run ended, its conditions, what was recorded, its losses.

    A trace that is incomplete or damaged is shown as far as it can be read. Exits with 2 if a part of it is damaged.
    """
    view = look(options)
    if write_json(view.to_json(), options.json_file):
        screen = find_screen()
        for line in view.draw(screen):
            text = screen.fit(line.text)
            is_plain = line.colour is None and not line.is_bold
            click.echo(text if is_plain else click.style(text, fg=line.colour, bold=line.is_bold or None))
    return view.exit_code


def look(options: ShowOptions) -> View:
    """Read what was asked for."""
    step, stage = options.step, options.stage
    run = options.run if options.rank is None else find_rank(options.run, options.rank)
    trace = salvage_trace(run)
    if options.rank in trace.ranks:
        trace = replace(trace, ranks={options.rank: trace.ranks[options.rank]})
    return View(
        summary=summarise(trace),
        conditions=select_conditions({} if trace.header is None else trace.header.environment),
        steps=None if step is None else read_steps(trace.ranks.values(), step, stage),
        stage=stage,
        events=() if stage is None or step is not None else list_events(trace, stage),
        verification=Verification(trace.verify()) if options.verify else None,
    )


@dataclass(frozen=True, slots=True)
class Verification:
    """The result of checking every byte: the first thing that is damaged, or None."""

    finding: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What was asked for.

    Attributes:
        summary: The trace as a whole.
        conditions: The conditions of the run.
        steps: The step that was asked for, as each process recorded it; None for the whole run.
        stage: The only stage to show, or None.
        events: Its events, where no step was asked for.
        verification: The result of checking every byte; None if that was not asked for.
    """

    summary: RunSummary
    conditions: tuple[RunCondition, ...]
    steps: tuple[StepRecord, ...] | None
    stage: Stage | None
    events: tuple[EventCount, ...]
    verification: Verification | None

    @property
    def exit_code(self) -> int:
        """2 if anything is damaged, 0 otherwise: a run that failed or was killed is shown like any other."""
        is_damaged = self.verification is not None and self.verification.finding is not None
        return EXIT_ERROR if self.summary.damage or is_damaged else EXIT_SAME

    def to_json(self) -> dict[str, Any]:
        """Return the JSON of `reproof show`, schema 1."""
        result = {
            "schema": SHOW_SCHEMA,
            **self.summary.to_json(),
            "conditions": {condition.name: condition.value for condition in self.conditions},
        }
        if self.steps is not None:
            result["step"] = [record.to_json() for record in self.steps]
        elif self.stage is not None:
            result["events"] = [found.to_json() for found in self.events]
        if self.verification is not None:
            finding = self.verification.finding
            result["verification"] = {"verified": finding is None, "finding": finding}
        return result

    def draw(self, screen: Screen) -> list[Line]:
        """Return the lines to print."""
        folder = self.summary.folder
        if self.steps is not None:
            lines = draw_steps(self.steps, folder) + draw_damage(self.summary)
        elif self.stage is not None:
            lines = draw_stage(self.events, folder, self.stage) + draw_damage(self.summary)
        else:
            lines = draw_overview(self.summary, self.conditions, screen)
        return lines + ([] if self.verification is None else draw_verification(self.summary, self.verification.finding))


def draw_verification(summary: RunSummary, finding: str | None) -> list[Line]:
    """Return the lines about the check of every byte."""
    if finding is not None:
        return [Line(""), Line(f"damaged: {finding}", "red", is_bold=True)]
    amount = f"{plural(summary.num_frames, 'frame')}, {describe_bytes(summary.num_bytes)}"
    return [Line(""), Line(f"verified: every byte of the recorded frames is as it was written ({amount})", "green")]

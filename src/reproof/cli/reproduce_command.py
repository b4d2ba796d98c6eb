"""`reproof reproduce`: train the configuration of a bundle again, and certify the result."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import click

from reproof.cli.bundle_text import name_trial
from reproof.cli.cause_text import cause_lines
from reproof.cli.json_output import REPRODUCTION, JsonFile, json_option, write_json
from reproof.cli.lines import find_width, section
from reproof.cli.options import (
    COUNT,
    PATH,
    POSITIVE,
    Folder,
    Options,
    Quiet,
    entry_option,
    explain_option,
    flag,
    option,
    pass_options,
    project_option,
)
from reproof.cli.page_file import Html, Open, refuse_opening, write_reproduction_page
from reproof.cli.table import Column, draw_table
from reproof.reproducing.job import ReproduceRequest
from reproof.reproducing.workflow import Reproduction, run_reproduction
from reproof.schema.telling import printable

if TYPE_CHECKING:
    from reproof.bundle.surroundings import EnvironmentRow
    from reproof.reproducing.evidence import Gate, Judgement, TargetRow
    from reproof.reproducing.needs import Need

MAX_ROWS = 12
NEVER_KEPT = "Never kept by the folder, and so not compared; as found here"
COLORS = {"identical": "green", "equivalent": "green", "not-reproduced": "red"}
METRIC_COLUMNS: tuple[Column[TargetRow], ...] = (
    Column(title="target", show=lambda row: printable(row.target)),
    Column(title="metric", show=lambda row: printable(row.metric)),
    Column(title="original", show=lambda row: f"{row.original:.9g}", width=14, is_right=True),
    Column(title="reproduced", show=lambda row: f"{row.reproduced:.9g}", width=14, is_right=True),
    Column(title="difference", show=lambda row: f"{row.difference:.2e}", width=11, is_right=True),
    Column(title="", show=lambda row: row.finding),
)

LONGEST_LINE: Final = 1000
"""Of what is told where nobody looks at a terminal, in characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReproduceOptions(Options):
    """The options of `reproof reproduce`, as its help tells them."""

    bundle: Folder
    num_seeds: Annotated[
        int, option("--seeds", type=COUNT, default=0, show_default=False, help="Train with N fresh seeds besides.")
    ]
    device: Annotated[str | None, option("--device", help="Train on another device than the bundle's, e.g. cuda.")]
    threads: Annotated[
        int | None, option("--threads", type=POSITIVE, help="Threads of one CPU operation.  [default: the bundle's]")
    ]
    project: Annotated[Path, project_option("the project, or `bundled` for the code that the bundle holds")]
    data: Annotated[
        Path | None, option("--data", type=PATH, help="Folder of the data, found by digest anywhere below it.")
    ]
    entry: Annotated[str | None, entry_option(help="Another training than the bundle names.")]
    out: Annotated[Path | None, option("-o", "--out", type=PATH, help="Folder for traces and certificate.json.")]
    anyway: Annotated[bool, flag("--anyway", help="Run although data or code differ from the bundle's.")]
    diagnoses: Annotated[bool, explain_option(help="Search for the reason by experiment, or not.")]
    json_file: Annotated[JsonFile | None, json_option(REPRODUCTION)]
    page_file: Html
    opens: Open
    quiet: Quiet

    def to_request(self) -> ReproduceRequest:
        """Return what is to be reproduced. Raises UsageError if an option cannot be carried out."""
        return self.fill(ReproduceRequest, runs_anyway=self.anyway)


@click.command("reproduce")
@pass_options(ReproduceOptions)
def command(options: ReproduceOptions) -> int:
    """Verify the bundle DIR, train it again in a fresh process, and say whether it reproduces.

    Exits with 0 for identical or equivalent, 1 for not reproduced, 2 if it cannot tell.
    """
    refuse_opening(options.page_file, opens=options.opens)
    quiet = (lambda _: None) if options.quiet else None
    reproduction = run_reproduction(options.to_request(), quiet or tell, quiet or show_needs)
    try:
        if write_json(reproduction.to_json(), options.json_file):
            for line in draw(reproduction, quiet=options.quiet):
                click.echo(line)
    finally:  # though nobody reads on
        write_reproduction_page(options.page_file, reproduction, opens=options.opens)
    return reproduction.exit_code


def tell(line: str) -> None:
    """Write on standard error what is under way."""
    click.echo(f"reproof: {line} ...", err=True)


def show_needs(needs: tuple[Need, ...]) -> None:
    """Write on standard error what is needed and what is here, no wider than the terminal."""
    indent = max((len(printable(need.what)) for need in needs), default=0) + 4
    width = max(20, (find_width() or LONGEST_LINE) - indent)
    for need in needs:
        told = textwrap.wrap(printable(f"{need.needed}; here: {need.here}"), width, break_long_words=False)
        labels = [f"  {printable(need.what)}"]
        for label, part in zip_longest(labels, told, fillvalue=""):
            click.echo(f"{label:<{indent}}{part}", err=True)


def draw(reproduction: Reproduction, *, quiet: bool) -> list[str]:
    """Return the lines that describe a reproduction."""
    judgement = reproduction.judgement
    verdict = draw_verdict(judgement)
    if quiet:
        return [verdict]
    told = " (in what was kept)" if reproduction.kept is not None and judgement.verdict == "identical" else ""
    lines = [
        f"{printable(name_trial(reproduction.bundle))}: {verdict}{told}",
        *section("Why", [printable(reason) for reason in judgement.reasons]),
        *section("Must be the same", [draw_gate(gate) for gate in judgement.gates]),
        *section("Code that differs", [printable(line) for gate in judgement.gates for line in gate.lines]),
        *section("Kept by the folder", draw_kept(reproduction)),
        *section("Metrics", draw_metrics(reproduction)),
        *section("Surroundings", draw_environment(reproduction.environment, reproduction.num_same)),
    ]
    if reproduction.diagnosis is not None:
        found = reproduction.diagnosis
        confirmed, suspected = (
            [text for text in texts if text not in judgement.reasons] for texts in (found.confirmed, found.suspected)
        )
        lines += section("What restores the bits", [printable(text) for text in confirmed])
        lines += section("Causes", cause_lines(found.causes))
        lines += section("Suspected", [printable(text) for text in suspected[:MAX_ROWS]])
        if found.is_stable is not None:
            told = "two runs here give the same bits" if found.is_stable else "two runs here differ"
            lines += section("Stability", [told])
    if judgement.replicates_needed:
        lines += section("Next", [f"reproof reproduce --seeds {judgement.replicates_needed} would decide"])
    if reproduction.kept is not None:
        lines += section(NEVER_KEPT, [printable(text) for text in reproduction.kept.never_kept])
    return [*lines, "", f"certificate: {reproduction.certificate}"]


def draw_verdict(judgement: Judgement) -> str:
    """Return the verdict, with what an equivalence rests on, in colour."""
    source = ", from one run" if judgement.is_from_one_run else ""
    kind = f" ({judgement.tier}ly{source})" if judgement.verdict == "equivalent" else ""
    return click.style(f"{judgement.verdict}{kind}", fg=COLORS.get(judgement.verdict, "yellow"), bold=True)


def draw_kept(reproduction: Reproduction) -> list[str]:
    """Return a line for each thing that an imported folder has kept."""
    items = () if reproduction.kept is None else reproduction.kept.items
    return [printable(f"{item.state:<10} {item.name}{': ' if item.detail else ''}{item.detail}") for item in items]


def draw_metrics(reproduction: Reproduction) -> list[str]:
    """Return the table of metrics; none if nothing ran."""
    rows = reproduction.judgement.per_target
    return draw_table(METRIC_COLUMNS, rows) if rows and reproduction.result is not None else []


def draw_gate(gate: Gate) -> str:
    """Return a line about something that must be the same."""
    return printable(f"{gate.name:<14} {gate.state:<10} {gate.detail}".rstrip())


def draw_environment(rows: tuple[EnvironmentRow, ...], num_same: int) -> list[str]:
    """Return a line for each circumstance that differs."""
    shown = [
        printable(f"{row.grade:<9} {row.name}: {row.original[:60]} in the bundle, {row.here[:60]} here")
        for row in rows[:MAX_ROWS]
    ]
    more = [f"and {len(rows) - MAX_ROWS} more"] if len(rows) > MAX_ROWS else []
    return [f"same      {num_same} circumstances", *shown, *more] if num_same or rows else []

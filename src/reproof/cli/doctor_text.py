"""Draw a diagnosis for a person: a table where a terminal is wide enough, else and in a file plain lines."""

from __future__ import annotations

import shutil
import sys
import textwrap
from typing import TYPE_CHECKING, Any, Final

import click

from reproof.cli.comparison_text import plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reproof.doctor import Check, Diagnosis, Finding

MIN_TABLE_WIDTH: Final = 100
_MAX_LINE: Final = 120
_MARKS: Final = {True: "yes", False: "NO", None: "-"}
_STYLES: Final = {True: "green", False: "bold red", None: "dim"}


def draw_diagnosis(diagnosis: Diagnosis, *, quiet: bool = False) -> None:
    """Print the conditions, then the findings, then both in one sentence.

    Args:
        diagnosis: What to print.
        quiet: Print the findings alone.
    """
    width = shutil.get_terminal_size().columns
    if not quiet and sys.stdout.isatty() and width >= MIN_TABLE_WIDTH:
        draw_table(diagnosis.checks)
    elif not quiet:
        for check in diagnosis.checks:
            click.echo("\n".join(check_lines(check, min(width, _MAX_LINE))))
    for finding in diagnosis.findings:
        click.echo("\n".join(finding_lines(finding, min(width, _MAX_LINE))))
    for item in diagnosis.not_read:
        click.echo(f"not read: {item.file}: {item.why}")
    click.echo("; ".join(summarise(diagnosis)))


def draw_table(checks: tuple[Check, ...]) -> None:
    """Print the conditions as a table, with the colours that the terminal and NO_COLOR allow."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(expand=True, show_lines=True, title="Conditions of determinism", title_justify="left")
    for title, options in _columns().items():
        table.add_column(title, **options)
    for check in checks:
        style = _STYLES[check.holds]
        why = Text(check.matters).append(f"\n{check.source}", style="dim")
        table.add_row(Text(_MARKS[check.holds], style=style), check.name, Text(check.state), why, Text(check.how))
    Console(highlight=False).print(table)


def _columns() -> dict[str, dict[str, Any]]:
    return {
        "holds": {"width": 5, "no_wrap": True},
        "condition": {"ratio": 3, "overflow": "fold", "min_width": 12},
        "here": {"ratio": 4, "overflow": "fold"},
        "why it matters": {"ratio": 8, "overflow": "fold"},
        "how to set it": {"ratio": 5, "overflow": "fold"},
    }


def check_lines(check: Check, width: int) -> list[str]:
    """Return a condition as lines: whether it holds and what is the case, then why, how and where it says so."""
    mark = f"[{_MARKS[check.holds]:^3}]"
    details = [("why", check.matters), ("set", check.how)]
    return [
        *wrap(f"{mark} {check.name}: {check.state}", width, indent=" " * 6),
        *(line for title, text in details for line in wrap(f"{' ' * 6}{title}  {text}", width, indent=" " * 11)),
        f"{' ' * 6}see  {check.source}",  # in one piece, to be clicked on
    ]


def finding_lines(finding: Finding, width: int) -> list[str]:
    """Return a finding as lines: the place in the form that editors jump to, what is wrong, the line, the fix."""
    return [
        "",
        *wrap(f"{finding.file}:{finding.line}: {finding.kind}: {finding.message}", width, indent="    "),
        f"    {finding.text}",
        *wrap(f"    instead: {finding.fix}", width, indent=" " * 13),
    ]


def wrap(text: str, width: int, *, indent: str) -> list[str]:
    """Break a line at spaces; addresses and paths stay whole."""
    return textwrap.wrap(text, max(width, 40), subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def summarise(diagnosis: Diagnosis) -> Iterator[str]:
    """Say in short how many conditions hold and how much was found."""
    if diagnosis.checks:
        held = [check.holds for check in diagnosis.checks]
        yield (
            f"{held.count(True)} of {plural(len(held), 'condition')} hold, {held.count(False)} do not, "
            f"{held.count(None)} do not apply here or are for information"
        )
    if diagnosis.files:
        found = plural(len(diagnosis.findings), "finding") if diagnosis.findings else "nothing found"
        yield f"{found} in {plural(len(diagnosis.files), 'file')}"

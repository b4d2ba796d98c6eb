"""Draw a diagnosis for a person: a table where a terminal is wide enough, else and in a file plain lines."""

from __future__ import annotations

import shutil
import sys
import textwrap
from typing import TYPE_CHECKING, Any, Final

import click

from reproof.cli.lines import plural
from reproof.cli.screen import Screen, find_screen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reproof.doctor import Check, Diagnosis, Finding

MIN_TABLE_COLUMNS: Final = 110
"""Below, the columns of a table are too narrow for the addresses in it."""

_MARKS: Final = {True: "yes", False: "NO", None: "-"}
_STYLES: Final = {True: "green", False: "bold red", None: "dim"}


def draw_diagnosis(diagnosis: Diagnosis, *, quiet: bool = False) -> None:
    """Print the conditions, then the findings, then both in one sentence.

    Args:
        diagnosis: What to print.
        quiet: Print the findings alone.
    """
    screen = find_screen()
    checks = () if quiet else diagnosis.checks
    if checks and sys.stdout.isatty() and shutil.get_terminal_size().columns >= MIN_TABLE_COLUMNS:
        draw_table(checks, screen)
        checks = ()
    for line in diagnosis_lines(diagnosis, checks, screen.width):
        click.echo(screen.fit(line))


def diagnosis_lines(diagnosis: Diagnosis, checks: tuple[Check, ...], width: int) -> Iterator[str]:
    """Yield the lines of a diagnosis, the checks first, as far as they are not drawn as a table."""
    for check in checks:
        yield from check_lines(check, width)
    for finding in diagnosis.findings:
        yield from finding_lines(finding, width)
    for item in diagnosis.not_read:
        yield f"{item.file} was not read: {item.why}; nothing is said of seeds that may be set there"
    yield from [""] if checks or diagnosis.findings else []
    for sentence in summarise(diagnosis):
        yield from wrap(sentence, width, indent="")


def draw_table(checks: tuple[Check, ...], screen: Screen) -> None:
    """Print the conditions as a table, in the colours that the terminal and NO_COLOR allow."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    frame = box.SQUARE if screen.is_unicode else box.ASCII
    table = Table(expand=True, show_lines=True, title="Conditions of determinism", title_justify="left", box=frame)
    for title, options in _columns().items():
        table.add_column(title, **options)
    for check in checks:
        mark = Text(_MARKS[check.holds], style=_STYLES[check.holds])
        why = Text(check.matters).append(f"\n{check.source}", style=f"dim link {check.source}")
        table.add_row(mark, check.name, Text(screen.fit(check.state)), why, Text(check.how))
    Console(highlight=False).print(table)


def _columns() -> dict[str, dict[str, Any]]:
    return {
        "holds": {"width": 5, "no_wrap": True},
        "condition": {"min_width": 24, "no_wrap": True},
        "here": {"ratio": 5, "overflow": "fold"},
        "why it matters": {"ratio": 9, "overflow": "fold"},
        "how to set it": {"ratio": 6, "overflow": "fold"},
    }


def check_lines(check: Check, width: int) -> list[str]:
    """Return a condition as lines: whether it holds and what is the case, then why, how and where it says so."""
    indent = " " * 6
    return [
        *wrap(f"[{_MARKS[check.holds]:^3}] {check.name}: {check.state}", width, indent=indent),
        *wrap(f"{indent}why  {check.matters}", width, indent=f"{indent}     "),
        *wrap(f"{indent}set  {check.how}", width, indent=f"{indent}     "),
        f"{indent}see  {check.source}",  # in one piece, to be clicked on
    ]


def finding_lines(finding: Finding, width: int) -> list[str]:
    """Return a finding as lines: the place in the form that editors jump to, what is wrong, the line, the fix."""
    indent = " " * 4
    return [
        "",
        *wrap(f"{finding.file}:{finding.line}: {finding.kind}: {finding.message}", width, indent=indent),
        f"{indent}{finding.text}",
        *wrap(f"{indent}instead: {finding.fix}", width, indent=f"{indent}         "),
    ]


def wrap(text: str, width: int, *, indent: str) -> list[str]:
    """Break a line at spaces; addresses, paths and options stay whole."""
    return textwrap.wrap(text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def summarise(diagnosis: Diagnosis) -> Iterator[str]:
    """Yield in short how many conditions hold, and how much was found."""
    if diagnosis.checks:
        held = [check.holds for check in diagnosis.checks]
        yield (
            f"{held.count(True)} of {plural(len(held), 'condition')} hold, {held.count(False)} do not; "
            f"{held.count(None)} do not apply here, cannot be told or are for information"
        )
    if diagnosis.files:
        found = plural(len(diagnosis.findings), "finding") if diagnosis.findings else "nothing found"
        yield f"{found} in {plural(len(diagnosis.files), 'file')}"

"""Draw a diagnosis for a person: what was found first, then one line per condition."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

import click

from reproof.cli.screen import find_screen
from reproof.schema.telling import plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reproof.doctor import Check, Diagnosis, Finding

_GROUPS: Final[tuple[tuple[bool | None, str], ...]] = (
    (False, "Does not hold"),
    (True, "Holds"),
    (None, "Cannot be told here, or does not apply"),
)


def draw_diagnosis(diagnosis: Diagnosis, *, is_explained: bool = False) -> None:
    """Print the findings, then the conditions.

    Explained, each has why it matters, how to set it and where that is documented.
    """
    screen = find_screen()
    for line in diagnosis_lines(diagnosis, screen.width, is_explained=is_explained):
        click.echo(screen.fit(line))


def diagnosis_lines(diagnosis: Diagnosis, width: int, *, is_explained: bool = False) -> Iterator[str]:
    """Yield the lines of a diagnosis."""
    for finding in diagnosis.findings:
        yield from (*finding_lines(finding, width), "")
    for item in diagnosis.not_read:
        yield from wrap(f"{item.file} was not read: {item.why}; what it seeds is not known", width, indent="    ")
    for note in diagnosis.notes:
        yield from wrap(note, width, indent="    ")
    if diagnosis.files:
        found = plural(len(diagnosis.findings), "finding") if diagnosis.findings else "nothing found"
        yield f"{found} in {plural(len(diagnosis.files), 'file')}"
    for holds, title in _GROUPS:
        checks = [check for check in diagnosis.checks if check.holds is holds]
        if checks:
            yield from (
                ("", f"{title} ({len(checks)})")
                if diagnosis.files or holds is not False
                else (f"{title} ({len(checks)})",)
            )
        for check in checks:
            yield from check_lines(check, width, is_explained=is_explained)
    if diagnosis.checks and not is_explained:
        yield from ("", "--why tells why each matters, how to set it, and where that is documented")


def check_lines(check: Check, width: int, *, is_explained: bool) -> list[str]:
    """Return a condition as one line, cut where it is too long; explained, in full and with its reason."""
    line = f"  {check.name:<24}  {check.state}"
    if not is_explained:
        return [line if len(line) <= width else f"{line[: width - 1]}…"]
    indent = " " * 9
    return [
        *wrap(line, width, indent=" " * 28),
        *wrap(f"    why  {check.matters}", width, indent=indent),
        *wrap(f"    set  {check.how}", width, indent=indent),
        f"    see  {check.source}",  # in one piece, to be clicked on
    ]


def finding_lines(finding: Finding, width: int) -> list[str]:
    """Return a finding as lines: the place in the form that editors jump to, what is wrong, the line, the fix."""
    return [
        *wrap(f"{finding.file}:{finding.line}: {finding.kind}: {finding.message}", width, indent="    "),
        f"    {finding.text}",
        *wrap(f"    instead: {finding.fix}", width, indent=" " * 13),
    ]


def wrap(text: str, width: int, *, indent: str) -> list[str]:
    """Break a line at spaces; addresses, paths and options stay whole."""
    return textwrap.wrap(text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)

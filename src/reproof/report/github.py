"""Rows as commands of GitHub Actions: an annotation at the line of each cause, and the summary of the step.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from reproof.schema import split_cell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reproof.report.records import Report

HERE: Final = PurePath()
LEVELS: Final = {"identical": "notice", "equivalent": "notice", "diverged": "error", "inconclusive": "warning"}


def render_annotations(report: Report, folder: PurePath = HERE) -> str:
    """Return one line per annotation; GitHub shows them at the lines of the pull request.

    `folder` is the working folder of the runs, from the root of the repository.
    """
    return "\n".join(_render(report, folder)) + "\n"


def escape_data(text: str) -> str:
    """Return a message in which no line ends and no command begins."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def escape_property(text: str) -> str:
    """Return the value of a property, which ends at a comma or colon."""
    return escape_data(text).replace(":", "%3A").replace(",", "%2C")


def _render(report: Report, folder: PurePath) -> Iterator[str]:
    level = LEVELS[report.verdict.verdict]
    told = f"{report.verdict.headline} {report.verdict.meaning_text}"
    placed = [cause for cause in report.causes if cause.excerpt is not None]
    for cause in placed:
        if cause.excerpt is not None:
            state = "proved by experiment" if cause.confirmed else "suspected, not proved"
            message = f"{report.verdict.headline} Cause ({state}): {cause.words}. {cause.reason} Fix: {cause.fix_text}"
            title = escape_property(f"reproof: {cause.words}")
            path = folder / split_cell(cause.excerpt.file)[0]
            file, line = escape_property(path.as_posix()), cause.excerpt.line
            own = level if cause.confirmed else "warning"
            yield f"::{own} file={file},line={line},title={title}::{escape_data(message)}"
    if not placed:
        yield f"::{level} title={escape_property(f'reproof: {report.verdict.verdict}')}::{escape_data(told)}"

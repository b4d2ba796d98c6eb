"""`--format`: the result as text for people, or as what a service for code and tests shows."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import click

from reproof.cli.options import option
from reproof.cli.page_file import make_report
from reproof.errors import UsageError

if TYPE_CHECKING:
    from reproof.explain.search import Explanation
    from reproof.schema import Comparison

FORMATS: Final = ("text", "markdown", "github", "junit")
SUMMARY: Final = "GITHUB_STEP_SUMMARY"
"""Variable by which GitHub Actions names the file of a step's summary."""

ROOTS: Final = ("GITHUB_WORKSPACE", "CI_PROJECT_DIR", "WORKSPACE")
"""Variables by which GitHub Actions, GitLab and Jenkins name the root of the repository."""

Format = Annotated[
    str,
    option(
        "--format",
        type=click.Choice(FORMATS),
        default="text",
        help="How to print the result: for a terminal, as Markdown for a pull request, as annotations and summary of "
        "GitHub Actions, as JUnit's XML.",
    ),
]


def print_formatted(
    form: str, comparison: Comparison, explanation: Explanation | None, next_command: str | None = None
) -> None:
    """Print a result in one of the formats other than text, with the command to run next as `write_page` has it.

    Effects: with ``github`` the summary is appended to the file that GITHUB_STEP_SUMMARY names. Raises UsageError if
    the comparison is not of two traces, or the summary cannot be written; TraceError if a trace cannot be read.
    """
    from reproof.report.github import render_annotations
    from reproof.report.junit import render_junit
    from reproof.report.markdown import render_markdown

    report = make_report(comparison, explanation, next_command=next_command)
    if form == "markdown":
        text = render_markdown(report)
    else:
        text = (render_annotations if form == "github" else render_junit)(report, find_in_repository())
    click.echo(text, nl=False)
    if form == "github" and os.environ.get(SUMMARY):
        path = Path(os.environ[SUMMARY])
        try:
            with path.open("a", encoding="utf-8") as file:
                file.write(render_markdown(report))
        except OSError as error:
            raise UsageError(f"cannot write {path}: {error.strerror}", f"unset {SUMMARY}") from None


def find_in_repository() -> Path:
    """Return the current folder from the root of the repository that a service has checked out, if below it."""
    here = Path.cwd()
    roots = (Path(os.environ[name]).resolve() for name in ROOTS if os.environ.get(name))
    return next((here.relative_to(root) for root in roots if here.is_relative_to(root)), Path())

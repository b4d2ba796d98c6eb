"""Draw the causes of a divergence: the line, what proves it, what to write instead."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import click

from reproof.cli.lines import find_width
from reproof.schema.telling import printable

if TYPE_CHECKING:
    from reproof.schema import Cause

WIDTH = 100
"""Where nobody looks at a terminal; a narrower one wraps further (`echo_lines`)."""

LABEL_WIDTH = 7
COMMENT = "    # "
"""Between a line of a fix and what is remarked on it."""

INDENT = 2
"""Of the section in which causes stand."""


def cause_lines(causes: tuple[Cause, ...]) -> list[str]:
    """Return the lines that show causes, the best supported first."""
    lines: list[str] = []
    for cause in causes:
        lines += [""] if lines else []
        lines += one_cause(cause)
    return lines


def one_cause(cause: Cause) -> list[str]:
    """Return the lines that show one cause."""
    where = cause.source if cause.file is None else cause.file if cause.line is None else f"{cause.file}:{cause.line}"
    state = click.style("confirmed", fg="red") if cause.confirmed else click.style("suspected", fg="yellow")
    lines = [f"{click.style(printable(where), bold=True)}  {printable(cause.text)}".rstrip(), f"{cause.kind}, {state}"]
    for title, text in (("why", cause.reason), ("proof", cause.evidence), ("fix", cause.fix), ("more", cause.link)):
        if text:
            lines += labelled(title, text)
    return lines


def labelled(title: str, text: str) -> list[str]:
    """Return a text of one or more lines behind its title; code keeps its own lines."""
    shown = find_width()
    width = WIDTH if shown is None else max(20, min(WIDTH, shown - LABEL_WIDTH - INDENT))
    parts = [part for line in text.splitlines() for part in wrap_code(line, width) or [""]]
    return [f"{title if i == 0 else '':<{LABEL_WIDTH}}{printable(part)}" for i, part in enumerate(parts)]


def wrap_code(line: str, width: int) -> list[str]:
    """Return a line in parts of a width; a comment that does not fit behind its code stands below it as one."""
    settings: dict[str, Any] = {"break_long_words": False, "break_on_hyphens": False}
    code, mark, remark = line.rpartition(COMMENT)
    if not mark or len(line) <= width:
        return textwrap.wrap(line, width, **settings)
    below = textwrap.wrap(remark, width, initial_indent="# ", subsequent_indent="# ", **settings)
    return [*textwrap.wrap(code, width, **settings), *below]

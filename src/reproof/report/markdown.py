"""Rows as Markdown, for the comment of a pull request or the summary of a step."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from reproof.report.page import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reproof.report.records import CauseRow, FirstRow, Report

SPECIAL: Final = re.compile(r"([\\`*_{}\[\]()#+\-!|<>&~@$:/.])")
MAX_CHARACTERS: Final = 300
MAX_ROWS: Final = 20


def render_markdown(report: Report) -> str:
    """Return the verdict, the first divergence, the causes and what was compared."""
    return "\n".join(_render(report)) + "\n"


def escape(text: str) -> str:
    """Return a text in which nothing is markup, in one line."""
    return SPECIAL.sub(r"\\\1", _one_line(text))


def code(text: str) -> str:
    """Return a text set as code, whatever backticks it has."""
    shown = _one_line(text).replace("|", "\\|")
    longest = max((len(ticks) for ticks in re.findall("`+", shown)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if longest else ""
    return f"{fence}{pad}{shown or ' '}{pad}{fence}"


def _one_line(text: str) -> str:
    return printable(" ".join(text.split()))[:MAX_CHARACTERS]


def _block(language: str, lines: list[str]) -> Iterator[str]:
    """Yield a block of code with a fence that none of its lines can end."""
    shown = [printable(line).replace("\n", " ") for line in lines]
    longest = max((len(ticks) for line in shown for ticks in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    yield from ("", f"{fence}{language}", *shown, fence, "")


def _render(report: Report) -> Iterator[str]:
    verdict = report.verdict
    yield f"### {verdict.glyph} {escape(verdict.headline)}"
    yield ""
    if report.command:
        yield f"{code(report.command)}: {escape(verdict.meaning_text)}"
    else:
        yield escape(verdict.meaning_text)
    if report.first is not None:
        yield from _render_first(report.first)
    for cause in report.causes:
        yield from _render_cause(cause)
    yield from _render_coverage(report)
    yield from _render_conditions(report)
    if verdict.next_command:
        yield from ("", f"Next: {code(verdict.next_command)}")


def _render_first(first: FirstRow) -> Iterator[str]:
    process = f"{first.process}, " if first.process else ""
    detail = f" ({first.detail})" if first.detail else ""
    yield from ("", f"**First divergence:** {process}{first.place}, {first.stage}{detail}, {code(first.name)}")
    if first.explanation:
        yield f"<br>{escape(first.explanation)}"
    yield from ("", "| | |", "|---|---|")
    yield f"| baseline | {code(first.baseline)} |"
    yield f"| candidate | {code(first.candidate)} |"


def _render_cause(cause: CauseRow) -> Iterator[str]:
    state = "proved by experiment" if cause.confirmed else "suspected, not proved"
    yield from ("", f"**Cause:** {code(cause.where)}, {escape(cause.words)} ({state})", "", escape(cause.reason))
    fix = cause.fix
    if fix is not None and fix.action == "replace":
        yield from _block("diff", [f"- {fix.old}", f"+ {fix.new}"])
        yield escape(fix.remark)
    elif cause.fix_text:
        yield from _block("python" if fix is not None and fix.action == "insert" else "", cause.fix_text.splitlines())
    if cause.evidence:
        yield from ("", "<details><summary>Proof</summary>", "", escape(cause.evidence), "", "</details>")


def _render_coverage(report: Report) -> Iterator[str]:
    coverage = report.coverage
    told = f"{coverage.num_events:,} events, {coverage.num_tensors:,} tensors, {coverage.num_steps:,} steps compared"
    yield from ("", f"<details><summary>{told}</summary>", "", "| stage | compared | differ |", "|---|--:|--:|")
    for row in coverage.stages:
        yield f"| {row.stage} | {row.compared:,} | {row.differing:,} |"
    yield ""
    for what, why in coverage.skipped[:MAX_ROWS]:
        yield f"- not compared: {code(what)}: {escape(why)}"
    for told in coverage.structure:
        yield f"- {escape(told)}"
    yield from ("", "</details>")


def _render_conditions(report: Report) -> Iterator[str]:
    differing = [row for row in report.conditions if row.differs][:MAX_ROWS]
    if not differing:
        return
    yield from ("", "| condition that differs | baseline | candidate |", "|---|---|---|")
    for row in differing:
        yield f"| {code(row.name)} | {code(row.baseline)} | {code(row.candidate)} |"

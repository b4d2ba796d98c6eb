"""Rows as Markdown, for the comment of a pull request or the summary of a step."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from reproof.report.records import HASH_SEED
from reproof.schema.telling import as_sentence, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reproof.report.records import CauseRow, FirstRow, Report, Span

SPECIAL: Final = re.compile(r"([\\`*{}\[\]#|<>&~@$]|(?<!\w)_|_(?!\w)|:(?=//)|(?<=www)\.|^[+-])")
"""What would be markup, or lead somewhere; a mark within a word or a sentence is none."""

NUMBERED: Final = re.compile(r"^(\d+)([.)])")
MAX_CHARACTERS: Final = 300
MAX_ROWS: Final = 20


def render_markdown(report: Report) -> str:
    """Return the verdict, the first divergence, the causes and what was compared."""
    return "\n".join(_render(report)) + "\n"


def escape(text: str) -> str:
    """Return a text in which nothing is markup, in one line."""
    return NUMBERED.sub(r"\1\\\2", SPECIAL.sub(r"\\\1", _one_line(text)))


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
    shown = [printable(line, keeps="\n\t").replace("\n", " ") for line in lines]
    longest = max((len(ticks) for line in shown for ticks in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    yield from ("", f"{fence}{language}", *shown, fence, "")


def _render(report: Report) -> Iterator[str]:
    verdict = report.verdict
    yield f"### {verdict.glyph} {escape(verdict.headline)}"
    yield ""
    meaning = "".join(map(_render_span, verdict.meaning)).strip()
    yield f"{code(report.command)}: {meaning}" if report.command else meaning
    if report.agreement:
        told = (f"- {escape(as_sentence(one))}" for one in report.agreement[:MAX_ROWS])
        yield from ("", "**Processes that train together do not agree:**", "", *told)
    if report.first is not None:
        yield from _render_first(report.first)
    for cause in report.causes:
        yield from _render_cause(cause)
    yield from _render_coverage(report)
    yield from _render_conditions(report)
    if verdict.next_command:
        yield from ("", f"Next: {code(verdict.next_command)}")


def _render_span(span: Span) -> str:
    """Return a piece of a sentence, with the spaces around it."""
    if span.style not in {"code", "strong"}:
        return f"{' ' * span.text.startswith(' ')}{escape(span.text)}{' ' * span.text.endswith(' ')}"
    return code(span.text) if span.style == "code" else f"**{escape(span.text)}**"


def _render_first(first: FirstRow) -> Iterator[str]:
    process = f"{first.process}, " if first.process else ""
    detail = f" ({first.detail})" if first.detail else ""
    yield from ("", f"**First divergence:** {process}{first.place}, {first.stage}{detail}, {code(first.name)}")
    if first.explanation:
        yield f"<br>{escape(as_sentence(first.explanation))}"
    yield from ("", f"- baseline {code(first.baseline)}", f"- candidate {code(first.candidate)}")
    yield from (f"- {escape(told)}" for told in (", ".join(first.became),) if told)


def _render_cause(cause: CauseRow) -> Iterator[str]:
    state = "proved by experiment" if cause.confirmed else "suspected, not proved"
    yield from ("", f"**Cause:** {code(cause.where)}, {escape(cause.words)} ({state})", "", escape(cause.reason))
    fix = cause.fix
    if fix is not None and fix.action == "replace":
        yield from _block("diff", [f"@@ {cause.where} @@", f"- {fix.old}", f"+ {fix.new}"])
        yield escape(as_sentence(fix.remark))
    elif cause.fix_text:
        yield from _block("python" if fix is not None and fix.action == "insert" else "", cause.fix_text.splitlines())
    if cause.evidence:
        told = escape(as_sentence(cause.evidence))
        yield from ("", "<details><summary>Proof</summary>", "", told, "", "</details>")


def _render_coverage(report: Report) -> Iterator[str]:
    coverage = report.coverage
    told = f"{coverage.amount} compared"
    yield from ("", f"<details><summary>{told}</summary>", "", "| stage | compared | differ |", "|---|--:|--:|")
    yield from (f"| {row.stage} | {row.compared:,} | {row.differing:,} |" for row in coverage.stages)
    yield from [""] * bool(coverage.skipped or coverage.structure)
    for what, why in coverage.skipped[:MAX_ROWS]:
        yield f"- not compared: {code(what)}: {escape(why)}"
    for told in coverage.structure:
        yield f"- {escape(told)}"
    yield from ("", "</details>")


def _render_conditions(report: Report) -> Iterator[str]:
    meant = HASH_SEED if report.has_free_seed else None
    differing = [row for row in report.conditions if row.differs and row.name != meant]
    if not differing:
        return
    yield from ("", "| condition that differs | baseline | candidate |", "|---|---|---|")
    for row in differing[:MAX_ROWS]:
        yield f"| {code(row.name)} | {code(row.baseline)} | {code(row.candidate)} |"

"""Rows as JUnit's XML, which every server of continuous integration reads: one test case per stage."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from reproof.schema.telling import printable

if TYPE_CHECKING:
    from reproof.report.records import Report


def render_junit(report: Report) -> str:
    """Return a test suite: the verdict as a whole, then each stage that was compared.

    A divergence is a failure, a verdict that could not be reached an error.
    """
    verdict, stages = report.verdict.verdict, report.coverage.stages
    suite = Element("testsuite", name="reproof", timestamp=report.created[:19])
    whole = _add_case(suite, "verdict", report)
    text = _describe(report)
    if verdict == "diverged":
        _add_outcome(whole, "failure", report.verdict.headline, text)
    elif verdict == "inconclusive":
        _add_outcome(whole, "error", report.verdict.headline, text)
    for row in stages:
        case = _add_case(suite, row.stage, report)
        if row.differing and verdict == "diverged":
            _add_outcome(case, "failure", f"{row.differing} of {row.compared} events differ", "")
    failures, errors = (sum(case.find(kind) is not None for case in suite) for kind in ("failure", "error"))
    suite.attrib.update(tests=str(1 + len(stages)), failures=str(failures), errors=str(errors), skipped="0")
    indent(suite)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(suite, encoding="unicode") + "\n"


def _add_case(suite: Element, name: str, report: Report) -> Element:
    return SubElement(suite, "testcase", classname=_spell(f"reproof.{report.command or 'run'}"), name=name, time="0")


def _add_outcome(case: Element, kind: str, message: str, text: str) -> None:
    outcome = SubElement(case, kind, message=_spell(message), type=kind)
    outcome.text = _spell(text) or None


def _spell(text: str) -> str:
    """Return a text that XML can hold: it has no control characters."""
    return printable(text, keeps="\n\t")


def _describe(report: Report) -> str:
    lines = [report.verdict.meaning_text]
    if report.first is not None:
        lines.append(f"{report.first.place}, {report.first.stage}: {report.first.name}")
        lines.append(f"baseline {report.first.baseline}, candidate {report.first.candidate}")
    for cause in report.causes:
        lines += [f"{cause.where}: {cause.reason}", f"proof: {cause.evidence}", f"fix: {cause.fix_text}"]
    return "\n".join(lines)

"""Rows as JUnit's XML, which every server of continuous integration reads: a test case per stage.

There is no standard. What is written is what the schema of Jenkins' xUnit plugin knows (junit-10.xsd), and ``file`` and
``line`` of a test case besides, by which GitLab and the reporters of GitHub lead to the source. GitLab tells cases
apart by class and name, and shows the text of a failure, not its message: the text says everything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from reproof.report.github import HERE
from reproof.schema import split_cell
from reproof.schema.telling import as_sentence, printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import PurePath

    from reproof.report.records import CauseRow, FirstRow, Report

MAX_SKIPPED: Final = 200
"""Cases of what was not compared."""

OUTCOMES: Final = {"diverged": "failure", "inconclusive": "error"}


def render_junit(report: Report, folder: PurePath = HERE) -> str:
    """Return a test suite: the verdict as a whole, then each stage, then what was not compared, as skipped.

    A divergence is a failure, with the file and line of its cause; a verdict that could not be reached is an error.
    `folder` is the working folder of the runs, from the root of the repository.
    """
    verdict, first = report.verdict, report.first
    seconds = f"{report.seconds + sum(row.seconds for row in report.experiments):.3f}"
    suite = Element("testsuite", name=_spell(f"reproof {report.command}".strip()), timestamp=report.created[:19])
    place = _find_place(report, folder)
    text = "\n".join(_describe(report))
    whole = _add_case(suite, "verdict", report, seconds)
    if verdict.verdict in OUTCOMES:
        whole.attrib.update(place)
        _add_outcome(whole, OUTCOMES[verdict.verdict], verdict.headline, text, verdict.verdict)
    SubElement(whole, "system-out").text = _spell("\n".join(_tell_coverage(report)))
    counts = {row.stage: (row.differing, row.compared) for row in report.coverage.stages}
    for stage in dict.fromkeys([*counts, *(() if first is None else (first.stage,))]):
        case = _add_case(suite, stage, report)
        differing, compared = counts.get(stage, (0, 0))
        is_first = first is not None and first.stage == stage
        if verdict.verdict == "diverged" and (differing or is_first):
            case.attrib.update(place)
            told = f"{differing:,} of {compared:,} events differ" if compared else verdict.headline
            later = "" if first is None else f"The first divergence is in stage {first.stage}, {first.place}."
            _add_outcome(case, "failure", told, text if is_first else f"{told}. {later}", verdict.verdict)
    for what, why in dict(report.coverage.skipped[:MAX_SKIPPED]).items():
        _add_outcome(_add_case(suite, f"not compared: {what}", report), "skipped", why)
    _count(suite, seconds)
    root = Element("testsuites", {key: suite.attrib[key] for key in ("tests", "failures", "errors", "time")})
    root.append(suite)
    indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _count(suite: Element, seconds: str) -> None:
    kinds = {"failures": "failure", "errors": "error", "skipped": "skipped"}
    found = {name: str(sum(case.find(kind) is not None for case in suite)) for name, kind in kinds.items()}
    suite.attrib.update(tests=str(len(suite)), **found, time=seconds)


def _add_case(suite: Element, name: str, report: Report, seconds: str = "0") -> Element:
    words = [word for word in report.command.split() if not word.startswith("-")]
    script = next((word for word in words if word.endswith(".py")), words[0] if words else "run")
    path = script.removesuffix(".py").replace("/", ".").strip(".")  # a dot parts packages
    names = {"classname": _spell(f"reproof.{path}"), "name": _spell(name), "time": seconds}
    return SubElement(suite, "testcase", names)


def _add_outcome(case: Element, kind: str, message: str, text: str = "", type_name: str = "") -> None:
    outcome = SubElement(case, kind, message=_spell(message), type=type_name or kind)
    outcome.text = _spell(text) or None


def _spell(text: str) -> str:
    """Return a text that XML can hold: it has no control characters."""
    return printable(text, keeps="\n\t")


def _find_place(report: Report, folder: PurePath) -> dict[str, str]:
    """Return file and line of the first cause that has one, proved before suspected, or of where the runs part."""
    causes = sorted(report.causes, key=lambda cause: not cause.confirmed)
    places = [*(cause.excerpt for cause in causes), None if report.first is None else report.first.excerpt]
    for one in places:
        if one is not None:
            return {"file": _spell((folder / split_cell(one.file)[0]).as_posix()), "line": str(one.line)}
    return {}


def _describe(report: Report) -> Iterator[str]:
    yield f"{report.verdict.headline} {report.verdict.meaning_text}"
    yield from report.coverage.structure
    if report.first is not None:
        yield from _describe_first(report.first)
    for cause in report.causes:
        yield from _describe_cause(cause)
    if report.verdict.next_command:
        yield from ("", f"Next: {report.verdict.next_command}")


def _describe_first(first: FirstRow) -> Iterator[str]:
    process = f"{first.process}, " if first.process else ""
    detail = f" ({first.detail})" if first.detail else ""
    yield from ("", f"First divergence: {process}{first.place}, {first.stage}{detail}: {first.name}")
    yield from (as_sentence(told) for told in (first.explanation, first.op) if told)
    yield from first.op_tensors
    yield from (f"baseline   {first.baseline}", f"candidate  {first.candidate}")
    if first.largest:
        yield f"largest difference {first.largest}"


def _describe_cause(cause: CauseRow) -> Iterator[str]:
    state = "proved by experiment" if cause.confirmed else "suspected, not proved"
    yield from ("", f"Cause ({state}): {cause.where}: {cause.words}", as_sentence(cause.reason))
    told = {"line": cause.line_text.strip(), "proof": cause.evidence, "fix": cause.fix_text}
    yield from (f"{name}: {text}" for name, text in told.items() if text)


def _tell_coverage(report: Report) -> Iterator[str]:
    coverage = report.coverage
    yield f"{coverage.amount} compared"
    yield from coverage.limits
    yield from (f"experiment {row.number}: {row.purpose}: {row.result}" for row in report.experiments)
    yield from (f"{row.name}: {row.baseline} → {row.candidate}" for row in report.conditions if row.differs)

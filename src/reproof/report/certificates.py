"""A reproduced bundle: its verdict, its metrics with their margins, and what had to be the same."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from reproof.report.records import Report, Span, VerdictRow
from reproof.report.reruns import CertificateRow, MetricRow, SpreadRow
from reproof.report.rows import make_empty
from reproof.report.verdicts import GLYPHS
from reproof.schema.telling import as_sentence

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reproof.schema import Verdict

HEADLINES: Final = {
    "identical": "Trained again, the result is identical to the bit.",
    "equivalent": "Trained again, the result is equivalent.",
    "not-reproduced": "Trained again, the result is another one.",
    "not-comparable": "The result cannot be compared with the bundle's.",
    "inconclusive": "Whether the result reproduces cannot be told.",
}
"""Verdicts on a bundle, as sentences."""

SIDES: Final = ("bundle", "reproduced")
MAX_MEANING: Final = 140

VERDICTS: Final[Mapping[str, Verdict]] = {"not-reproduced": "diverged", "not-comparable": "inconclusive"}
"""Verdicts on a bundle that a comparison of two runs calls by another name."""


def add_certificate(
    report: Report | None, found: Mapping[str, Any], replicates: Sequence[Mapping[str, Mapping[str, float]]], path: str
) -> Report:
    """Return a report with the certificate of a bundle, whose verdict is the report's.

    Without two traces there is no report before; `found` is the reproduction as its JSON tells it, `replicates` the
    metrics by target of the bundle's runs with fresh seeds.
    """
    certificate = describe_certificate(found, replicates, path)
    if report is None:
        report = make_empty(certificate.name)
    verdict = found["verdict"]
    rests_on = found["tier"] if verdict == "equivalent" else None
    headline = HEADLINES[verdict] if rests_on is None else f"{HEADLINES[verdict][:-1]}, {rests_on}ly."
    meaning = certificate.reasons[0] if certificate.reasons else ""
    if len(meaning) > MAX_MEANING:  # the numbers are told below
        meaning = meaning.partition(": ")[0]
    name: Verdict = VERDICTS.get(verdict, verdict)  # the others have the same name
    row = VerdictRow(
        verdict=name,
        glyph=GLYPHS[name],
        headline=headline,
        meaning=(Span(as_sentence(meaning)),) if meaning else (),
        equal_share=report.verdict.equal_share,
        bar_label=report.verdict.bar_label,
    )
    return replace(report, verdict=row, certificate=certificate, sides=SIDES)


def describe_certificate(
    found: Mapping[str, Any], replicates: Sequence[Mapping[str, Mapping[str, float]]], path: str
) -> CertificateRow:
    """Return the rows of a certificate; the arguments are those of `add_certificate`."""
    surroundings = found["environment"]
    trial = found["trial"]
    told = f", trial {trial['number']} of {trial['study']}" if trial["study"] else ""
    return CertificateRow(
        name=f"{found['bundle']}{told}",
        path=path,
        reasons=tuple(found["reasons"]),
        gates=tuple((gate["name"], gate["state"], gate["detail"]) for gate in found["gates"]),
        metrics=tuple(_describe_metrics(found["per_target"], replicates)),
        surroundings=tuple(
            (row["name"], str(row["original"]), str(row["here"]), row["grade"]) for row in surroundings["differing"]
        ),
        num_same=surroundings["num_same"],
        kept=tuple((item["name"], item["state"], item["detail"]) for item in found["kept"] or ()),
        never_kept=tuple(found["never_kept"]),
        restored=tuple((found["diagnosis"] or {}).get("confirmed", ())),
    )


def _describe_metrics(
    rows: Iterable[Mapping[str, Any]], replicates: Sequence[Mapping[str, Mapping[str, float]]]
) -> Iterable[MetricRow]:
    for row in rows:
        target, metric = row["target"], row["metric"]
        original, reproduced = float(row["original"]), float(row["reproduced"])  # JSON has NaN as text
        values = (one.get(target, {}).get(metric) for one in replicates)
        known = tuple(value for value in values if value is not None and math.isfinite(value))
        margin = None if row["margin"] is None else float(row["margin"])
        is_finite = math.isfinite(original) and math.isfinite(reproduced)
        yield MetricRow(
            target=target,
            metric=metric,
            original=f"{original:.9g}",
            reproduced=f"{reproduced:.9g}",
            finding=row["finding"],
            spread=SpreadRow(original=original, reproduced=reproduced, margin=margin, replicates=known)
            if is_finite and (known or margin)
            else None,  # two values alone have no scale: any difference would look large
        )

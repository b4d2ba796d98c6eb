"""Causes as rows: each with its line in its code, the experiments that prove it, and its fix."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reproof.report.kinds import text_of, words_of
from reproof.report.records import CauseRow
from reproof.report.sources import read_excerpt

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from reproof.report.records import ExperimentRow
    from reproof.schema import Cause


def describe_causes(
    causes: Iterable[Cause], experiments: Iterable[ExperimentRow], folder: Path, digests: Mapping[str, str]
) -> tuple[CauseRow, ...]:
    """Return causes as rows.

    Causes are best supported first; `digests` has the SHA-256 of files as they ran, by absolute path.
    """
    by_number = {row.number: row for row in experiments}
    return tuple(_describe(cause, by_number, folder, digests) for cause in causes)


def _describe(
    cause: Cause, by_number: Mapping[int, ExperimentRow], folder: Path, digests: Mapping[str, str]
) -> CauseRow:
    excerpt = None
    where = cause.file or cause.source
    if cause.file is not None and cause.line is not None:
        excerpt = read_excerpt(folder, cause.file, cause.line, digests, cause.text)
        where = f"{cause.file}:{cause.line}"
    return CauseRow(
        kind=cause.kind,
        words=words_of(cause.kind),
        text=text_of(cause.kind),
        where=where,
        source=cause.source,
        confirmed=cause.confirmed,
        reason=cause.reason,
        evidence=cause.evidence,
        line_text=cause.text,
        fix=cause.change,
        fix_text=cause.fix,
        link=cause.link,
        excerpt=excerpt,
        proof=tuple(_order_proof([by_number[n] for n in sorted(cause.experiments) if n in by_number])),
    )


def _order_proof(rows: list[ExperimentRow]) -> list[ExperimentRow]:
    """Return first what equals the baseline; experiments that refer to each other stay in their order."""
    is_chain = any("experiment " in f"{row.purpose} {row.result}" for row in rows)
    return rows if is_chain else sorted(rows, key=lambda row: not row.agreed)

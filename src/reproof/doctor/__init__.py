"""What keeps a training from reproducing, told before it runs: the conditions here, and what its script shows.

`diagnose` is the whole of it. Read `records`, then `checks` (the conditions), then `script` and `rules` (the reading
of a script, which is never imported or run); `program` knows names, types and where values go.

Left out on purpose: setting anything, and drawing the answer on a terminal (`reproof.cli`). What only a run can show
is for `reproof check`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reproof.doctor.records import Check, Diagnosis, Finding, NotRead

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Check", "Diagnosis", "Finding", "NotRead", "diagnose"]


def diagnose(target: Path | None = None, *, ask_torch: bool = True, with_checks: bool = True) -> Diagnosis:
    """Return the conditions of determinism here, and what is wrong in a script.

    Args:
        target: A script, or a folder whose scripts are read; None for the conditions alone.
        ask_torch: Whether to import PyTorch for the conditions that it alone can tell.
        with_checks: Whether to read the conditions at all.

    Raises:
        UsageError: The target is missing or cannot be read.

    Effects:
        Those of reading: see `reproof.doctor.checks.read_checks`.
    """
    from reproof.doctor.checks import read_checks

    if target is None:
        return Diagnosis(checks=read_checks(ask_torch=ask_torch) if with_checks else ())
    from reproof.doctor.script import read_target

    reading = read_target(target)
    return Diagnosis(
        checks=read_checks(reading.facts, ask_torch=ask_torch) if with_checks else (),
        findings=reading.findings,
        files=reading.files,
        not_read=reading.not_read,
    )

"""What keeps a training from reproducing, told before it runs: the conditions here, and what its script shows.

Read `records`, then `checks` (the conditions), then `script`; `program` knows names, `flow` where values go, `rules`
what is wrong, `facts` what is seen to. A script is never imported or run; what only a run can show is for
`reproof check`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reproof.doctor.checks import read_checks
from reproof.doctor.records import Check, Diagnosis, Finding, NotRead
from reproof.doctor.script import read_target

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Check", "Diagnosis", "Finding", "NotRead", "diagnose"]


def diagnose(target: Path | None = None, *, ask_torch: bool = True, with_checks: bool = True) -> Diagnosis:
    """Return the conditions of determinism here, and what is wrong in a script.

    `target` is a script, or a folder whose scripts are read; None for the conditions alone. Without `ask_torch` PyTorch
    is not imported, and the conditions that it alone can tell say so; without `with_checks` they are left out. Raises
    UsageError if the target is missing or cannot be read.
    """
    diagnosis, facts = read_target(target) if target is not None else (Diagnosis(), None)
    return replace(diagnosis, checks=read_checks(facts, ask_torch=ask_torch)) if with_checks else diagnosis

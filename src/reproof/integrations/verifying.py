"""Train the winner of a search once more, in a fresh process, before anybody relies on it.

What a trial owes to an earlier one of its process is cheapest to find while the search is at hand.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from reproof.errors import ReproofError
from reproof.reproducing.job import ReproduceRequest
from reproof.reproducing.workflow import run_reproduction

if TYPE_CHECKING:
    from pathlib import Path

Verify = Literal["none", "best", "each-best"]
"""Not at all; the winner when the search has ended; each trial as soon as it leads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What training a bundle once more has shown.

    Attributes:
        verdict: As of `reproof reproduce`; *failed* if it could not be trained.
        reasons: One line each, most important first.
        is_reproduced: Whether the verdict is *identical* or *equivalent*.
    """

    verdict: str
    reasons: tuple[str, ...]
    is_reproduced: bool

    def __str__(self) -> str:
        """Say it in one line."""
        return f"{self.verdict}: {self.reasons[0]}" if self.reasons else self.verdict


def verify_bundle(folder: Path, project: Path) -> Verification:
    """Train a bundle once more in a fresh process, and look for the reason if the bits differ.

    Effects: as `reproof.reproduce`; the certificate goes beside the bundle.
    """
    try:
        found = run_reproduction(ReproduceRequest(bundle=folder, project=project))
    except ReproofError as error:
        return Verification(verdict="failed", reasons=(str(error),), is_reproduced=False)
    judgement = found.judgement
    return Verification(verdict=judgement.verdict, reasons=judgement.reasons, is_reproduced=judgement.exit_code == 0)


def warn_if_not(folder: Path, found: Verification) -> None:
    """Warn of a bundle that does not reproduce."""
    if not found.is_reproduced:
        warnings.warn(f"the best trial in {folder} does not reproduce ({found})", UserWarning, stacklevel=2)

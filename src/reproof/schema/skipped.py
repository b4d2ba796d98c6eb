"""Evidence that was not compared."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """Evidence that was not compared, and why: with any of it, no verdict of *identical* is given."""

    what: str
    why: str

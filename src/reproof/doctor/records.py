"""The records of the doctor: what holds around a training, and what is wrong in its script."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from reproof.errors import EXIT_DIVERGED, EXIT_SAME

DOCTOR_SCHEMA: Final = 1  # version of the JSON that `reproof doctor --json` writes

Kind = Literal["unseeded-rng", "unseeded-generator", "worker-seeding", "os-entropy", "wall-clock", "process-identity"]
"""The kinds of causes that are read from a script, in the words that `reproof check` uses for causes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One condition of determinism; `holds` is None where it does not apply, is only information, or cannot be read."""

    name: str
    state: str
    holds: bool | None
    matters: str
    how: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of a script, 1-based, that keeps its training from reproducing, and what to write instead."""

    kind: Kind
    file: str
    line: int
    text: str
    message: str
    fix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotRead:
    """A file that belongs to the script and could not be read: what it seeds or draws is not known."""

    file: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """All that the doctor says; `files` are those that were read, none without a script; `notes` accuse no line."""

    checks: tuple[Check, ...] = ()
    findings: tuple[Finding, ...] = ()
    files: tuple[str, ...] = ()
    not_read: tuple[NotRead, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 if nothing was found in the script, 1 if something was; conditions do not count."""
        return EXIT_DIVERGED if self.findings else EXIT_SAME

    def to_json(self) -> dict[str, Any]:
        """Return the JSON of `reproof doctor`, schema 1."""
        return {"schema": DOCTOR_SCHEMA, **asdict(self)}

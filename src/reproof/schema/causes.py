"""Why two runs differ: the kinds of causes, and what is said of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

CauseKind = Literal[
    "unseeded-rng",
    "unseeded-generator",
    "worker-seeding",
    "os-entropy",
    "wall-clock",
    "process-identity",
    "hash-order",
    "listing-order",
    "state-on-disk",
    "concurrency",
    "uninitialized-memory",
    "nondeterministic-op",
    "thread-count",
    "worker-count",
    "environment",
    "code-change",
    "data-change",
]

CAUSE_KINDS: Final[tuple[CauseKind, ...]] = get_args(CauseKind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why two runs differ.

    Attributes:
        kind: One of `CAUSE_KINDS`.
        source: What was called, such as ``numpy.random.default_rng``.
        file: The user's file, relative to the working folder if it is below; None if no line is known.
        line: 1-based, or None.
        text: The line as it stands in the file.
        confirmed: Whether an experiment has shown it; otherwise it is only *suspected*.
        step: Step of the divergence that it explains.
        evidence: The experiment and its result, in words.
        fix: What to write instead.
        reason: Why, in one sentence.
        link: Page about causes of this kind.
    """

    kind: str
    source: str
    file: str | None
    line: int | None
    text: str
    confirmed: bool
    step: int
    evidence: str
    fix: str = ""
    reason: str = ""
    link: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return an entry of ``causes`` of the JSON contract."""
        names = ("kind", "source", "file", "line", "text", "confirmed", "step", "evidence", "fix", "reason", "link")
        return {name: getattr(self, name) for name in names}

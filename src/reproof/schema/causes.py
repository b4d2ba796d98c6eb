"""Why two runs differ: the kinds of causes, and the record of one cause."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, get_args

from reproof.schema.cells import split_cell

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
    "unseen-source",
    "code-change",
    "data-change",
]
"""What is known of each kind is in `reproof.explain.kinds`."""

CAUSE_KINDS: Final[tuple[CauseKind, ...]] = get_args(CauseKind)


def parse_kind(text: str) -> CauseKind | None:
    """Return the kind of cause with this name; None if there is none, as in a file of a later version."""
    return next((kind for kind in CAUSE_KINDS if kind == text), None)


FixAction = Literal["replace", "insert", "advise"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """What removes a cause, as a change of the source.

    Attributes:
        action: *replace* the line by another; *insert* code, where `remark` says; *advise*: `new` is an instruction.
        file: The file, as `Cause.file`.
        line: 1-based, or None.
        old: The line as it stands; empty unless it is replaced.
        new: What to write.
        remark: What else the change needs, or where it goes; may be empty.
    """

    action: FixAction
    file: str | None
    line: int | None
    old: str
    new: str
    remark: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        file, cell = (None, None) if self.file is None else split_cell(self.file)
        return {**asdict(self), "file": file, **({} if cell is None else {"cell": cell})}


EXPERIMENT: Final = re.compile(r"experiments? (\d+)(?: and (\d+))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why two runs differ.

    Attributes:
        source: What was called, such as ``numpy.random.default_rng``.
        file: The user's file, relative to the working folder if it is below; None if no line is known. A cell of a
            notebook has its number in brackets: ``train.ipynb[3]``.
        line: 1-based, or None.
        text: The line as it stands in the file.
        confirmed: Whether an experiment has shown it; otherwise it is only *suspected*.
        step: Step of the divergence that it explains.
        evidence: The experiment and its result, in words.
        fix: What to write instead.
        reason: Why, in one sentence.
        link: Page about causes of this kind.
        change: The fix as a change of the source, where it is one.
    """

    kind: CauseKind
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
    change: Fix | None = None

    def __str__(self) -> str:
        """Return the line, what is wrong with it, and what to write instead."""
        where = self.source if self.file is None else f"{self.file}:{self.line}"
        state = "confirmed" if self.confirmed else "suspected"
        fix = f"\n    fix: {self.fix}" if self.fix else ""
        return f"{where}  {self.text}\n    {self.kind}, {state}{fix}"

    @property
    def experiments(self) -> tuple[int, ...]:
        """Numbers of the experiments that the evidence rests on, in its order."""
        found = (number for match in EXPERIMENT.finditer(self.evidence) for number in match.groups() if number)
        return tuple(dict.fromkeys(map(int, found)))

    def to_json(self) -> dict[str, Any]:
        """Return an entry of ``causes`` of the JSON contract."""
        names = ("kind", "source", "file", "line", "text", "confirmed", "step", "evidence", "fix", "reason", "link")
        file, cell = (None, None) if self.file is None else split_cell(self.file)
        return {
            **{name: getattr(self, name) for name in names},
            "file": file,
            **({} if cell is None else {"cell": cell}),
            "change": None if self.change is None else self.change.to_json(),
            "experiments": list(self.experiments),
        }

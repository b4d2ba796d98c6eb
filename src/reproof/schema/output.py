"""How the outputs of two runs compare: what they saved, what they printed, the files that they left."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from reproof.schema.skipped import Skipped

OutputKind = Literal["saved", "line", "file"]

WHOLE_FILE: Final = "a file"
"""What is told of a file or folder that one run alone has."""
DIGEST: Final = re.compile(r", digest [0-9a-f]+$")
"""What stands after a value that is shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputDifference:
    """Something that the outputs of two runs do not agree on, beyond known noise.

    Attributes:
        kind: Whether it was saved, printed, or is in a file.
        name: What differs: ``saved last.pt['model']['fc.weight']``, ``stdout line 12``, ``log.csv row 3``.
        baseline: What the baseline has, in one line; None if it has no such thing.
        candidate: The same for the candidate.
        step: 0-based index of the optimizer step within which it was saved; None if that is not known.
    """

    kind: OutputKind
    name: str
    baseline: str | None
    candidate: str | None
    step: int | None = None

    @property
    def sides(self) -> tuple[str, str]:
        """What each run has, for people: without the digests of values that differ in their text already."""
        missing = "no such file" if WHOLE_FILE in {self.baseline, self.candidate} else "absent"
        shown = tuple(missing if side is None else DIGEST.sub("", side) for side in (self.baseline, self.candidate))
        return (shown[0], shown[1]) if shown[0] != shown[1] else (str(self.baseline), str(self.candidate))

    def to_json(self) -> dict[str, Any]:
        """Return an entry of ``output.differences``."""
        return {
            "kind": self.kind,
            "name": self.name,
            "baseline": self.baseline,
            "candidate": self.candidate,
            "step": self.step,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputResult:
    """How the outputs of two runs compare.

    Attributes:
        differences: What differs beyond known noise, in order: saved values, lines, files.
        num_masked_lines: Lines that differ in known noise only: times, rates, process numbers.
        num_noise: Saved values and parts of files that differ in known noise only.
        notes: What is told and not judged.
        not_compared: What was not compared, and why.
        harmless: How it was shown that the differences come from clocks, process numbers and the like alone; None if it
            was not.
    """

    differences: tuple[OutputDifference, ...] = ()
    num_saved: int = 0
    num_lines: int = 0
    num_files: int = 0
    num_masked_lines: int = 0
    num_noise: int = 0
    notes: tuple[str, ...] = ()
    not_compared: tuple[Skipped, ...] = ()
    harmless: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether an experiment has yet to decide what the differences come from."""
        return bool(self.differences) and self.harmless is None

    @property
    def told(self) -> tuple[OutputDifference, ...]:
        """The differences as people are told of them: a value that was saved is not told again as one of its file."""
        saved = {one.name for one in self.differences if one.kind == "saved"}
        return tuple(one for one in self.differences if one.kind != "file" or f"saved {one.name}" not in saved)

    def to_json(self) -> dict[str, Any]:
        """Return the ``output`` object of a result."""
        return {
            "differences": [difference.to_json() for difference in self.differences],
            "saved": self.num_saved,
            "lines": self.num_lines,
            "files": self.num_files,
            "masked_lines": self.num_masked_lines,
            "noise": self.num_noise,
            "notes": list(self.notes),
            "not_compared": [{"what": one.what, "why": one.why} for one in self.not_compared],
            "harmless": self.harmless,
        }

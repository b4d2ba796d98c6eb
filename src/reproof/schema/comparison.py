"""The answer to "are these two runs the same?": a verdict, the first divergence, and how much differs besides."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from reproof.schema.operations import relative_to_here
from reproof.schema.telling import draw_html

if TYPE_CHECKING:
    from reproof.schema.causes import Cause
    from reproof.schema.events import Detail, Stage
    from reproof.schema.operations import OpDifference
    from reproof.schema.output import OutputResult
    from reproof.schema.runs import Level
    from reproof.schema.skipped import Skipped

Verdict = Literal["identical", "equivalent", "diverged", "inconclusive"]
JSON_SCHEMA: Final = 1
"""Version of the JSON that `compare`, `check` and `explain` write (a contract)."""

MAX_TOLD: Final = 5
"""Things of one kind that a comparison tells as text."""

THE_END: Final = "the end of the "
"""How the part of a run is named that is not compared as the run did not come to its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One event whose evidence differs between two runs.

    Attributes:
        rank: Process, 0 for a training in one process.
        step: 0-based index of the optimizer step.
        detail: *order* or *content* for batches, else None.
        baseline: What the baseline has: a value where one was kept, else the digest in hexadecimal.
        candidate: The same for the candidate.
        explanation: One sentence on how they differ, where the trace can tell.
        num_differing: Elements that differ, where values were kept.
        num_elements: Elements compared, where values were kept.
        max_abs: Largest absolute difference, where values were kept.
        max_ulp: Largest difference in units in the last place, where values were kept.
        op: The operation at which the runs part, where both recorded the operations of the step.
        num_events: Of a first difference, the events other than initial states that the process recorded before it in
            the baseline; None if that is unknown.
        process: Label of the process, if another one has started it; else None.
    """

    rank: int
    step: int
    stage: Stage
    detail: Detail | None
    name: str
    baseline: str
    candidate: str
    explanation: str | None = None
    num_differing: int | None = None
    num_elements: int | None = None
    max_abs: float | None = None
    max_ulp: int | None = None
    op: OpDifference | None = None
    num_events: int | None = None
    process: str | None = None

    def __str__(self) -> str:
        """Return process, step, stage and event, and how they differ."""
        process = "" if self.process is None else f"process {self.process}, "
        told = "" if self.explanation is None else f": {self.explanation}"
        return f"{process}{self.place}, {self.stage}: {self.name}{told}"

    @property
    def place(self) -> str:
        """Which step it is in; what is left of a run, and what it has put out, come after the last."""
        return f"step {self.step:,}" if self.is_within_steps else "after the last step"

    @property
    def is_within_steps(self) -> bool:
        """Whether it is in a step."""
        return self.stage not in {"final", "output"}

    @property
    def label(self) -> str:
        """Label of the process among all of the run."""
        return str(self.rank) if self.process is None else self.process

    def to_json(self) -> dict[str, Any]:
        """Return the ``first_divergence`` object of the JSON contract."""
        op = self.op
        has_own = self.max_abs is not None or self.max_ulp is not None
        return {
            "rank": self.rank,
            **({} if self.process is None else {"process": self.process}),
            "step": self.step,
            "stage": self.stage,
            "detail": self.detail,
            "name": self.name,
            "baseline": self.baseline,
            "candidate": self.candidate,
            "op": None if op is None else op.to_json(),
            "file": None if op is None else relative_to_here(op.file) or None,
            "line": None if op is None else op.line or None,
            "max_ulp": self.max_ulp if has_own or op is None else op.max_ulp,
            "max_abs": self.max_abs if has_own or op is None else op.max_abs,
            "explanation": self.explanation,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class StageCount:
    """How many events of one stage were compared, and how many of them differ."""

    stage: Stage
    compared: int
    differing: int


class LossGap(NamedTuple):
    """The loss of the same step in both runs, exactly as computed."""

    step: int
    baseline: float
    candidate: float

    @property
    def is_equal(self) -> bool:
        """Whether both are the same number; two NaN are."""
        return self.baseline == self.candidate or (math.isnan(self.baseline) and math.isnan(self.candidate))

    @property
    def size(self) -> float:
        """The absolute difference; NaN if one of them is."""
        return abs(self.baseline - self.candidate)

    def to_json(self) -> dict[str, Any]:
        """Return plain values; JSON has no NaN and no infinity, which become strings."""
        losses = (x if math.isfinite(x) else repr(x) for x in (self.baseline, self.candidate))
        return dict(zip(("step", "baseline", "candidate"), (self.step, *losses), strict=True))


class RngGap(NamedTuple):
    """Which random number generators were in other states at the end of a step.

    Attributes:
        differing: Names of the generators whose states differ.
        num_compared: Generators whose states both runs have recorded.
    """

    step: int
    differing: tuple[str, ...]
    num_compared: int


NO_EVENT: Final = 0
EQUAL: Final = 1
NOT_COMPARED: Final = 2
DIFFERENT: Final = 3
"""States of a step and stage in a `StepMap`; where a stage has several events the largest counts."""


class StepMap(NamedTuple):
    """What became of each step and stage of one process.

    Attributes:
        rank: The process.
        num_steps: Steps that both runs have; what stands beyond came after the last step, or in one run only.
        planes: For each stage that has an event, one byte per step: a state.
        process: Label of the process, if another one has started it; else None.
    """

    rank: int
    num_steps: int
    planes: tuple[tuple[Stage, bytes], ...]
    process: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A circumstance of a run that differs between baseline and candidate."""

    name: str
    baseline: str
    candidate: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What one of the runs did beside the training, and that proves nothing.

    Attributes:
        what: What it did, e.g. ``calls of Net without gradients``.
        baseline: How many of these the baseline alone did; None if they were not counted.
        candidate: How many the candidate alone did.
        file: The user's file that they come from, relative to the folder in which the run started if it is below;
            None if it is not known.
        line: The line in it.
    """

    what: str
    baseline: int | None = None
    candidate: int | None = None
    file: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        """Return one line for people."""
        where = "" if self.file is None else f" at {self.file}:{self.line}"
        if self.baseline is None or self.candidate is None:
            return f"{self.what}{where}"
        counts = ((self.baseline, "the baseline"), (self.candidate, "the candidate"))
        told = " and ".join(f"{count} in {owner} alone" for count, owner in counts if count)
        return f"{self.what}{where}: {told}"

    def to_json(self) -> dict[str, Any]:
        """Return an entry of ``beside`` of the JSON contract."""
        file = None if self.file is None else relative_to_here(self.file) or None
        return {
            "what": self.what,
            "baseline": self.baseline,
            "candidate": self.candidate,
            "file": file,
            "line": self.line,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The answer to "are these two runs the same?".

    Attributes:
        runs: The two runs as the user named them, baseline first.
        num_events: Events compared.
        num_tensors: Tensors and arrays that these events cover.
        num_steps: Steps compared, of the process with most of them.
        counts: Per stage, events compared and events that differ.
        skipped: Evidence that was not compared.
        structure: Findings about structure: one run longer, names that only one run has.
        first: The first divergence in execution order, or None.
        differences: The first differing events, as many as were asked for.
        conditions: Circumstances that differ.
        losses: How the losses of both runs grow apart, from the first step on in which they differ.
        rng: States of the random number generators around the first divergence.
        tolerance: The absolute and relative tolerance asked for, or None for bitwise.
        num_within_tolerance: Events whose bits differ and whose numbers agree within the tolerance.
        causes: Why the runs differ, best supported first, where experiments were made.
        level: How much both runs recorded; None if they did not record the same, or are no traces.
        is_verified: Whether every byte of both traces was held against its checksums; None for what has none.
        limits: What the records cannot show however they compare, one sentence each.
        beside: What only one of the runs did beside the training, and that proves nothing.
        output: How the outputs of both runs compare; None if they did not record any.
        is_same_run: Whether both are one recording: a run compared with itself or its copy.
        processes: What was compared of processes that others have started, such as ``process 0.1 (train.py:34)``.
        untrained: Models to which all that differs belongs, where none of them is trained and everything of those that
            are is equal: losses, gradients, updates, final state and output.
        steps: What became of each step and stage, per process, where that was asked for.
        agreement: In what processes of one run that train together do not agree, one sentence each.
    """

    verdict: Verdict
    runs: tuple[str, str]
    num_events: int
    num_tensors: int
    num_steps: int
    counts: tuple[StageCount, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    structure: tuple[str, ...] = ()
    first: Difference | None = None
    differences: tuple[Difference, ...] = ()
    conditions: tuple[Condition, ...] = ()
    losses: tuple[LossGap, ...] = ()
    rng: tuple[RngGap, ...] = ()
    tolerance: float | None = None
    num_within_tolerance: int = 0
    causes: tuple[Cause, ...] = ()
    level: Level | None = None
    is_verified: bool | None = None
    limits: tuple[str, ...] = ()
    beside: tuple[Beside, ...] = ()
    output: OutputResult | None = None
    is_same_run: bool = False
    processes: tuple[str, ...] = ()
    untrained: tuple[str, ...] = ()
    steps: tuple[StepMap, ...] = ()
    agreement: tuple[str, ...] = ()

    @property
    def unfinished(self) -> str | None:
        """Why a run, or both, did not come to the end, if that is one reason; else None."""
        reasons = {skipped.why for skipped in self.skipped if THE_END in skipped.what}
        return reasons.pop() if len(reasons) == 1 else None

    @property
    def exit_code(self) -> int:
        """0 identical or equivalent, 1 diverged, 2 could not tell."""
        return {"identical": 0, "equivalent": 0, "diverged": 1}.get(self.verdict, 2)

    def __str__(self) -> str:
        """Return verdict, first divergence and causes for people."""
        amount = f"{self.num_events:,} events of {self.num_steps:,} steps compared"
        children = f", {len(self.processes)} children included" if self.processes else ""
        lines = [
            f"{self.verdict}: {amount}{children}",
            f"  baseline   {self.runs[0]}",
            f"  candidate  {self.runs[1]}",
            *([] if self.first is None else [f"  the runs part in {self.first}"]),
            *(f"  cause: {cause}" for cause in self.causes[:MAX_TOLD]),
            *(f"  ranks: {told}" for told in self.agreement[:MAX_TOLD]),
            *(f"  structure: {told}" for told in self.structure[:MAX_TOLD]),
            *(f"  not compared: {found.what}: {found.why}" for found in self.skipped[:MAX_TOLD]),
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        return draw_html(self.verdict, str(self))

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: FBT001  # as IPython calls it
        """Print what a terminal of IPython shows."""
        printer.text("..." if cycle else str(self))

    def to_json(self) -> dict[str, Any]:
        """Return the JSON contract of `compare`, `check` and `explain`, schema 1."""
        return {
            "schema": JSON_SCHEMA,
            "verdict": self.verdict,
            "compared": {
                "events": self.num_events,
                "tensors": self.num_tensors,
                "steps": self.num_steps,
                "stages": {c.stage: {"compared": c.compared, "differing": c.differing} for c in self.counts},
                "skipped": [{"what": s.what, "why": s.why} for s in self.skipped],
            },
            "first_divergence": None if self.first is None else self.first.to_json(),
            "structure": list(self.structure),
            "causes": [cause.to_json() for cause in self.causes],
            "conditions": [{"name": c.name, "baseline": c.baseline, "candidate": c.candidate} for c in self.conditions],
            "losses": [gap.to_json() for gap in self.losses],
            "rng": [{"step": g.step, "differing": list(g.differing)} for g in self.rng],
            "tolerance": self.tolerance,
            "within_tolerance": self.num_within_tolerance,
            "runs": list(self.runs),
            "level": self.level,
            "verified": self.is_verified,
            "limits": list(self.limits),
            "beside": [what.to_json() for what in self.beside],
            "output": None if self.output is None else self.output.to_json(),
            "same_run": self.is_same_run,
            "processes": list(self.processes),
            "untrained": list(self.untrained),
            "agreement": list(self.agreement),
        }

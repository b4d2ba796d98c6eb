"""The records that everything else is made of.

A *run* leaves a *trace*. A trace is a sequence of *frames* per process, a frame is a sequence of *events*, and an
event is a name with a digest. Comparing two traces gives a `Comparison`. Records are frozen and hold only plain
values of the standard library, so that reading and comparing need neither numpy nor PyTorch.

Left out on purpose: how records are stored (`reproof.trace`) and how they are shown (`reproof.cli`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

Stage = Literal["init", "batch", "forward", "loss", "gradient", "update", "metric"]
STAGES: Final[tuple[Stage, ...]] = ("init", "batch", "forward", "loss", "gradient", "update", "metric")

Detail = Literal["order", "content"]
Level = Literal["batches", "steps", "modules", "ops"]
LEVELS: Final[tuple[Level, ...]] = ("batches", "steps", "modules")

Verdict = Literal["identical", "equivalent", "diverged", "inconclusive"]
JSON_SCHEMA: Final = 1
"""Version of the JSON that `compare`, `check` and `explain` write (a contract)."""

DIGEST_BYTES: Final = 16
NO_DIGEST: Final = bytes(DIGEST_BYTES)
"""What stands in the place of a digest that could not be taken; never compared."""


class Event(NamedTuple):
    """What is known of an event before its digest: the same in every step in which it happens.

    Attributes:
        stage: Which part of a training step it belongs to.
        name: Name in the words of the training script, e.g. ``loader0(1437)[1]``.
        detail: For batches, whether the event tells of *order* (indices drawn) or *content*; else None.
        algorithm: Digest algorithm. Digests of two algorithms are never compared.
        skipped: Why no digest could be taken, or None.
        num_tensors: How many tensors or arrays the digest covers.
    """

    stage: Stage
    name: str
    detail: Detail | None = None
    algorithm: str = "xxh3_128"
    skipped: str | None = None
    num_tensors: int = 0


class Layout(NamedTuple):
    """The events of a frame, in execution order; most steps of a run share one.

    Attributes:
        events: The events, in execution order.
        digest: 16-byte digest over what identifies the events; equal layouts of two runs have equal digests.
        num_tensors: Tensors that a frame of this layout covers.
    """

    events: tuple[Event, ...]
    digest: bytes
    num_tensors: int


class Frame(NamedTuple):
    """The unit in which a trace is written: the events between two ends of steps, or a part of them.

    Attributes:
        number: 0-based position in the trace of its process.
        step: 0-based index of the optimizer step within which the events happened.
        ends_step: Whether the step ended with this frame.
        layout: The events.
        digests: The events' digests, concatenated; 16 bytes each.
        chain: Running hash over this and all earlier frames.
        elapsed_seconds: Time since the recording started, when the frame was written.
    """

    number: int
    step: int
    ends_step: bool
    layout: Layout
    digests: bytes
    chain: bytes
    elapsed_seconds: float

    def digest(self, position: int) -> bytes:
        """Return the digest of the event at this position of the layout."""
        return self.digests[position * DIGEST_BYTES : (position + 1) * DIGEST_BYTES]


NumbersKind = Literal["exact", "statistics", "samples", "rng"]


class Numbers(NamedTuple):
    """Numbers kept beside an event's digest: they explain a difference, they never decide that there is none.

    Attributes:
        kind: ``exact`` (every element), ``statistics`` (sum, mean, std, min, max, L2 norm as float64), or ``samples``
            (a 32-bit fingerprint of each sample along the first dimension), or ``rng`` (the states of the random
            number generators at the end of the step: number of the generator, 64 bits of its state's digest, ...).
        typecode: Their type as a `struct` character: the precision in which distances are counted.
        values: The numbers, in row-major order; strings only where a label is one.
    """

    kind: NumbersKind
    typecode: str
    values: tuple[int | float | str, ...]


RNG_SOURCES: Final = {0: "python", 1: "numpy", 2: "torch"}
"""Numbers of the generators in numbers of kind ``rng``; CUDA device N is `RNG_CUDA` + N, the generator of loader N
`RNG_LOADER` + N."""

RNG_CUDA: Final = 16
RNG_LOADER: Final = 1024

STATISTICS: Final = ("sum", "mean", "std", "min", "max", "l2")
"""Names of the numbers of kind ``statistics``, in their order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """Evidence that was not compared, and why: with any of it, no verdict of *identical* is given."""

    what: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One event whose evidence differs between two runs.

    Attributes:
        rank: Process, 0 for a training in one process.
        step: 0-based index of the optimizer step.
        stage: Stage of the event.
        detail: *order* or *content* for batches, else None.
        name: The event's name.
        baseline: What the baseline has: a value where one was kept, else the digest in hexadecimal.
        candidate: The same for the candidate.
        explanation: One sentence on how they differ, where the trace can tell.
        num_differing: Elements that differ, where values were kept.
        num_elements: Elements compared, where values were kept.
        max_abs: Largest absolute difference, where values were kept.
        max_ulp: Largest difference in units in the last place, where values were kept.
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

    def to_json(self) -> dict[str, Any]:
        """Return the ``first_divergence`` object of the JSON contract."""
        return {
            "rank": self.rank,
            "step": self.step,
            "stage": self.stage,
            "detail": self.detail,
            "name": self.name,
            "baseline": self.baseline,
            "candidate": self.candidate,
            "op": None,
            "file": None,
            "line": None,
            "max_ulp": self.max_ulp,
            "max_abs": self.max_abs,
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
        step: The step.
        differing: Names of the generators whose states differ.
        num_compared: Generators whose states both runs have recorded.
    """

    step: int
    differing: tuple[str, ...]
    num_compared: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A circumstance of a run that differs between baseline and candidate."""

    name: str
    baseline: str
    candidate: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The answer to "are these two runs the same?".

    Attributes:
        verdict: One of the four verdicts.
        runs: The two runs as the user named them, baseline first.
        num_events: Events compared.
        num_tensors: Tensors and arrays that these events cover.
        num_steps: Steps compared.
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

    @property
    def exit_code(self) -> int:
        """0 identical or equivalent, 1 diverged, 2 could not tell."""
        return {"identical": 0, "equivalent": 0, "diverged": 1}.get(self.verdict, 2)

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
            "causes": [],
            "conditions": [{"name": c.name, "baseline": c.baseline, "candidate": c.candidate} for c in self.conditions],
            "losses": [gap.to_json() for gap in self.losses],
            "rng": [{"step": g.step, "differing": list(g.differing)} for g in self.rng],
            "tolerance": self.tolerance,
            "runs": list(self.runs),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RunHeader:
    """What `run.json` holds: everything about a run that is known once.

    Attributes:
        run_id: 32 hexadecimal digits, drawn when the recording starts; ties the files of a trace together.
        status: ``running`` (or killed), ``complete``, ``failed`` or ``interrupted``.
        level: How much was recorded.
        command: The command line, empty for a recording made from inside a script.
        num_batches: Limit on the batches recorded per loader, or None.
        num_steps: Step after which the recording ended the training, or None.
        created: Start of the recording, ISO 8601 with time zone.
        environment: Nested plain values: versions, hardware, variables, conditions.
        ended: How the run ended, in words, or None.
        problems: Evidence that could not be taken, one line each.
        num_ranks: Processes that were expected to record.
    """

    run_id: str
    status: str
    level: str
    command: tuple[str, ...]
    num_batches: int | None
    statistics: bool
    created: str
    environment: dict[str, Any] = field(default_factory=dict)
    ended: str | None = None
    exit_code: int | None = None
    num_steps: int | None = None
    problems: tuple[str, ...] = ()
    num_ranks: int = 1

    @property
    def is_complete(self) -> bool:
        """Whether the training came to its own successful end and every piece of evidence was taken."""
        return self.status == "complete" and not self.problems

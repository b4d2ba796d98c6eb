"""The records that everything else is made of.

A *run* leaves a *trace*. A trace is a sequence of *frames* per process, a frame is a sequence of *events*, and an
event is a name with a digest. Comparing two traces gives a `Comparison`. Records are frozen and hold only plain
values of the standard library, so that reading and comparing need neither numpy nor PyTorch.

Left out on purpose: how records are stored (`reproof.trace`) and how they are shown (`reproof.cli`).
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

Stage = Literal["init", "batch", "forward", "loss", "gradient", "update", "metric"]
STAGES: Final[tuple[Stage, ...]] = ("init", "batch", "forward", "loss", "gradient", "update", "metric")

Detail = Literal["order", "content"]
Level = Literal["batches", "steps", "modules", "ops"]
LEVELS: Final[tuple[Level, ...]] = ("batches", "steps", "modules", "ops")

OpPhase = Literal["forward", "backward", "optimizer", "other"]
OP_PHASES: Final[tuple[OpPhase, ...]] = ("forward", "backward", "optimizer", "other")

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
class Probes:
    """What a recording looks into beyond its level: experiments on the operations of single steps.

    Attributes:
        ops_steps: First and last step whose operations are recorded (0-based, both included); None for all steps at
            level ``ops``, and for none below it.
        keeps_op_values: Keep the outputs of these operations, to tell later which of their elements differ.
        repeats_ops: Execute each of these operations again on copies of its inputs: does it give the same bits?
        poisons: Fill uninitialised memory with NaNs that tell where it was allocated, in the whole run. This changes
            the run: it is an experiment, and not a recording to compare with.
    """

    ops_steps: tuple[int, int] | None = None
    keeps_op_values: bool = False
    repeats_ops: bool = False
    poisons: bool = False


def relative_to_here(path: str) -> str:
    """Return a path as seen from the current folder if it lies below it; any other as it is."""
    if not os.path.isabs(path):  # noqa: PTH117  # a text, of a run that may have been on another system
        return path
    found = os.path.relpath(path) if path[:1] == os.path.abspath(os.curdir)[:1] else path  # noqa: PTH100
    return path if found.startswith(os.pardir) else found


OpCause = Literal["computed", "random", "argument", "outside", "uninitialized"]


class OpExample(NamedTuple):
    """One element of an output that differs, as Python numbers of both runs."""

    indices: tuple[int, ...]
    baseline: complex | str
    candidate: complex | str

    def to_json(self) -> dict[str, Any]:
        """Return plain values; complex numbers, NaN and infinities become strings."""
        shown = [
            x if isinstance(x, (int, str)) or (isinstance(x, float) and math.isfinite(x)) else str(x)
            for x in (self.baseline, self.candidate)
        ]
        return {"index": list(self.indices), "baseline": shown[0], "candidate": shown[1]}


@dataclass(frozen=True, slots=True, kw_only=True)
class UnstableOp:
    """An operation that gave other bits when it was executed again on the same inputs, within one run.

    Attributes:
        step: The step in which it was executed.
        name: Name with namespace, such as ``aten::index_put_``.
        overload: Its overload.
        phase: Phase of the step.
        module: Path of the innermost module under way, or of the one whose backward this is; may be empty.
        file: The user's file; may be empty.
        line: The line.
        function: The function.
        num_results: How often it was executed, the first time for the training itself.
        num_distinct: How many different results there were.
        num_elements: Elements of its outputs.
        num_differing: Elements that differ between the training's result and the first other one.
        max_abs: Largest absolute difference of finite elements of those two, or None if there is none.
        max_ulp: Largest difference of them in units in the last place; None for integers.
        stable_with: Conditions under which all results were the same: ``one thread``, ``deterministic algorithms``.
        raises_with: Conditions under which it raised an error.
    """

    step: int
    name: str
    overload: str
    phase: OpPhase
    module: str
    file: str
    line: int
    function: str
    num_results: int
    num_distinct: int
    num_elements: int
    num_differing: int
    max_abs: float | None
    max_ulp: int | None
    stable_with: tuple[str, ...]
    raises_with: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Repetitions:
    """What executing the operations of a window of steps again has found.

    Attributes:
        unstable: The operations that gave other bits.
        num_repeated: Operations that were executed again.
        num_left_out: Operations that could not be, because they draw random numbers, or time or memory ran out.
        is_complete: Whether the run came to the end of the window.
    """

    unstable: tuple[UnstableOp, ...]
    num_repeated: int
    num_left_out: int
    is_complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PoisonedEvent:
    """The first event of a run in which memory shows that was allocated and never written.

    Attributes:
        stage: Stage of the event.
        name: Its name.
        step: The step.
        file: The user's file that allocated the memory; empty if the type of the elements is too small to tell.
        line: The line.
        function: The function.
        num_poisoned: Elements of the event that hold, or were computed from, such memory.
        num_elements: All its elements.
    """

    stage: Stage
    name: str
    step: int
    file: str
    line: int
    function: str
    num_poisoned: int
    num_elements: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpDifference:
    """The operation at which two runs part.

    Attributes:
        cause: ``computed`` (its inputs agree, its outputs do not), ``random`` (the same, and it draws random numbers),
            ``argument`` (a number given by Python code differs), ``outside`` (a tensor differs that no recorded
            operation has made: the data itself), or ``uninitialized`` (memory of `torch.empty` was read that nothing
            had written).
        name: Name with namespace, such as ``aten::mm``.
        overload: Its overload, such as ``default``.
        phase: Phase of the step.
        module: Path of the innermost module under way, or of the one whose backward this is; may be empty.
        file: The user's file; empty if no line of the user's led here.
        line: The line; for an operation of backward, the one of the forward operation that it belongs to.
        function: The function.
        number: Position among the operations of the step in the baseline.
        output: Which output differs (0-based); for *outside* and *uninitialized*, which tensor among the inputs.
        dtype: Element type of that tensor.
        shape: Its shape.
        num_elements: Its elements.
        num_differing: How many of them differ, where values were kept.
        max_abs: Largest absolute difference, where values were kept and are finite.
        max_ulp: Largest difference in units in the last place, where values were kept and are finite floats.
        examples: The first differing elements, where values were kept.
        explanation: One sentence.
    """

    cause: OpCause
    name: str
    overload: str
    phase: OpPhase
    module: str
    file: str
    line: int
    function: str
    number: int
    output: int
    dtype: str
    shape: tuple[int, ...]
    num_elements: int
    explanation: str
    num_differing: int | None = None
    max_abs: float | None = None
    max_ulp: int | None = None
    examples: tuple[OpExample, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the ``op`` object of the JSON contract."""
        names = ("cause", "name", "overload", "phase", "module", "function", "number", "output", "dtype")
        measures = ("num_elements", "num_differing", "max_abs", "max_ulp", "explanation")
        return {
            **{name: getattr(self, name) for name in names},
            "file": relative_to_here(self.file) or None,
            "line": self.line or None,
            "shape": list(self.shape),
            **{name: getattr(self, name) for name in measures},
            "examples": [example.to_json() for example in self.examples],
        }


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
        op: The operation at which the runs part, where both recorded the operations of the step.
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

    def to_json(self) -> dict[str, Any]:
        """Return the ``first_divergence`` object of the JSON contract."""
        op = self.op
        has_own = self.max_abs is not None or self.max_ulp is not None
        return {
            "rank": self.rank,
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


CAUSE_KINDS: Final = (
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
)


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
        causes: Why the runs differ, best supported first, where experiments were made.
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
            "causes": [cause.to_json() for cause in self.causes],
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

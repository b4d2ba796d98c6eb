"""The rows of a report: what is told about two runs, as plain values that any renderer can draw.

All texts are as they came from the runs: whoever draws them escapes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from reproof.schema.telling import plural

if TYPE_CHECKING:
    from reproof.report.reruns import CertificateRow, ResumeRow
    from reproof.schema import Fix, Stage, StageCount, Verdict

Style = Literal["", "strong", "code", "changed"]


class Span(NamedTuple):
    """A piece of a line of text, and how it is set."""

    text: str
    style: Style = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictRow:
    """The answer.

    Attributes:
        glyph: ``=``, ``≈``, ``≠`` or ``?``.
        headline: One sentence.
        meaning: What it means, in one or two sentences.
        equal_share: How much of the run is equal, 0 to 1, from its start on.
        bar_label: What the bar shows, in words.
        next_command: What to run next; empty if nothing.
    """

    verdict: Verdict
    glyph: str
    headline: str
    meaning: tuple[Span, ...]
    equal_share: float
    bar_label: str
    next_command: str = ""

    @property
    def meaning_text(self) -> str:
        """The meaning as plain text."""
        return "".join(span.text for span in self.meaning)


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """The text around a line.

    Attributes:
        file: As the user knows it.
        line: 1-based.
        function: The innermost function or class that the line is in; empty if it is in none, or that is unknown.
        first: Number of the first line shown.
        lines: Lines, without their common indent.
        note: Why the text may not be what ran; empty if it is.
    """

    file: str
    line: int
    function: str
    first: int
    lines: tuple[str, ...]
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRow:
    """The events of one stage in the step in which the runs part.

    Attributes:
        compared: Those that both runs have, with a digest.
        differing: Those of them that differ.
        num_open: The others.
    """

    stage: Stage
    compared: int
    differing: int
    num_open: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class UlpRow:
    """How far apart two results of an operation lie, element by element.

    Attributes:
        told: How many differ, and by how much at most, in one sentence.
        bars: Smallest and largest distance in units in the last place, and how many elements are so far apart.
    """

    told: str
    bars: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstRow:
    """The first divergence.

    Attributes:
        place: Which step it is in, or that it comes after the last.
        process: What the process is called; empty if it is the only one.
        step: 0-based.
        detail: *order*, *content*, or empty.
        name: The event.
        explanation: How they differ, in one sentence; may be empty.
        baseline: Value or digest.
        candidate: The same.
        largest: Largest difference, in words; may be empty.
        stages: The events of this step, in the order in which they happened.
        became: What became of it, a sentence each.
        rng: States of the random number generators, a sentence each.
        op: The operation at which the runs part, in words; may be empty.
        op_tensors: What it reads and makes, a line each.
        ulps: How far apart its results lie, where they were kept.
        excerpt: The code around its line, where one is known.
    """

    place: str
    process: str
    step: int
    stage: Stage
    detail: str
    name: str
    explanation: str
    baseline: str
    candidate: str
    largest: str = ""
    stages: tuple[StageRow, ...] = ()
    became: tuple[str, ...] = ()
    rng: tuple[str, ...] = ()
    op: str = ""
    op_tensors: tuple[str, ...] = ()
    ulps: UlpRow | None = None
    excerpt: Excerpt | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentRow:
    """One experiment.

    Attributes:
        agreed: Whether it equals what it was compared with through its window; None if it could not be compared.
        equal_share: How much of its window does, 0 to 1.
        result: What came, in words, with what it was compared with.
        meaning: What that shows; may be empty.
        replayed: Keys of the sources that had the values of the baseline; None for all.
        is_proof: Whether a cause rests on it.
        parent: Number of the experiment that it follows from; None for the first of a tree.
    """

    number: int
    purpose: str
    seconds: float
    window: int | None
    agreed: bool | None
    equal_share: float
    result: str
    meaning: str = ""
    replayed: tuple[str, ...] | None = None
    is_proof: bool = False
    parent: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CauseRow:
    """One cause.

    Attributes:
        words: The kind in words.
        text: What a cause of this kind is, in a few sentences.
        where: ``file:line``, or the source if no line is known.
        source: What was called.
        confirmed: Whether an experiment has shown it.
        reason: Why, in one sentence.
        evidence: The experiments in words.
        line_text: The line as it stands.
        fix: What to write instead; as a record, where it is a change of the source.
        fix_text: The same in words.
        link: Page about causes of this kind.
        excerpt: The line in its code, where it can be read.
        proof: The experiments on which it rests.
        ulps: How far apart the results of its operation lie, where that was measured.
    """

    kind: str
    words: str
    text: str
    where: str
    source: str
    confirmed: bool
    reason: str
    evidence: str
    line_text: str
    fix: Fix | None
    fix_text: str
    link: str
    excerpt: Excerpt | None = None
    proof: tuple[ExperimentRow, ...] = ()
    ulps: UlpRow | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveRow:
    """A loss or a metric of both runs.

    Attributes:
        stage: ``loss`` or ``metric``.
        name: Name of its events.
        steps: Steps of the points that are drawn.
        baseline: Values; None where there is none that can be drawn (NaN, infinite).
        candidate: The same.
        ulp: Distances in units in the last place; None where the type is not known.
        num_compared: Points that both runs have.
        num_differing: Points that differ, of all.
        told: The course of the difference in one sentence.
    """

    stage: Stage
    name: str
    steps: tuple[int, ...]
    baseline: tuple[float | None, ...]
    candidate: tuple[float | None, ...]
    ulp: tuple[int, ...] | None
    num_compared: int
    num_differing: int
    told: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """One event of a step in both runs; what one of them lacks is empty."""

    stage: Stage
    name: str
    detail: str
    baseline: str
    candidate: str
    state: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRow:
    """The events of one step."""

    step: int
    events: tuple[EventRow, ...]
    num_more: int = 0
    rng: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MapRow:
    """What became of each step and stage of one process.

    Attributes:
        name: What the process is called; empty if it is the only one.
        process: Its label if another one has started it; else empty.
        is_main: Whether it is the one that parted first, of which everything else in the page is.
        num_steps: Steps; a column beyond is what came after the last of them.
        num_columns: Bytes of each plane.
        planes: Stage, and one byte per step (0 no event, 1 equal, 2 not compared, 3 different), compressed by zlib,
            in base64.
    """

    name: str
    process: str
    is_main: bool
    num_steps: int
    num_columns: int
    planes: tuple[tuple[Stage, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRow:
    """The samples of the batch in which the runs part.

    Attributes:
        name: The loader.
        told: What differs, in one sentence.
        baseline: Samples in order: their indices in the data set, or their places.
        candidate: The same.
        changed: Places whose content differs although the sample is the same.
    """

    name: str
    told: str
    baseline: tuple[str, ...]
    candidate: tuple[str, ...]
    changed: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRow:
    """A sample of the batch in which the runs part, as both runs had it.

    Attributes:
        place: Its place in the batch.
        name: Its index in the data set, of both runs if they differ; empty if unknown.
        height: Rows of an image; 1 for a signal.
        width: Columns of an image, points of a signal.
        baseline: Its float32 numbers, little-endian, in base64.
        candidate: The same.
    """

    place: int
    name: str
    height: int
    width: int
    baseline: str
    candidate: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LinePair:
    """A line of output in both runs; None where a run has none."""

    baseline: tuple[Span, ...] | None
    candidate: tuple[Span, ...] | None
    is_equal: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputRow:
    """What both runs printed.

    Attributes:
        told: How they compare, in one sentence.
        lines: Lines, or the first of them.
        num_left_out: Lines that are not shown.
        differing: What else differs that was saved or left in files, a line each.
    """

    told: str
    lines: tuple[LinePair, ...]
    num_left_out: int = 0
    differing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionRow:
    """A circumstance of both runs.

    Attributes:
        baseline: Its value in the baseline; ``unknown`` if that does not tell it.
        candidate: The same of the candidate.
        differs: Whether both are known and differ.
        is_known: Whether both are.
    """

    name: str
    baseline: str
    candidate: str
    differs: bool
    is_known: bool = True


HASH_SEED: Final = "python.hash_seed"
NUM_BINS: Final = 96
"""Pieces of a run in which what it read from outside is counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRow:
    """What the runs read from outside at one place, in all their processes.

    Attributes:
        where: ``file:line``, or empty.
        source: What was called.
        function: The user's function; may be empty.
        first_step: Step of the first read.
        num_baseline: Reads of the baseline.
        num_candidate: The same of the candidate.
        differs: Whether the values differ.
        num_processes: Processes that read there.
        bins: When it was read, for each piece of the run in which it was: number of the piece, of `NUM_BINS`, reads,
            and how many of these differ.
    """

    where: str
    source: str
    function: str
    first_step: int
    num_baseline: int
    num_candidate: int
    differs: bool
    num_processes: int = 1
    bins: tuple[tuple[int, int, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageRow:
    """What was compared, and what was not."""

    num_events: int
    num_tensors: int
    num_steps: int
    stages: tuple[StageCount, ...]
    skipped: tuple[tuple[str, str], ...]
    structure: tuple[str, ...]
    limits: tuple[str, ...]
    beside: tuple[str, ...] = ()

    @property
    def amount(self) -> str:
        """How much was compared, in words."""
        counts = {"event": self.num_events, "tensor": self.num_tensors, "step": self.num_steps}
        return ", ".join(plural(count, noun) for noun, count in counts.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All rows.

    Attributes:
        runs: Folders of the two traces; empty texts where there are no two that could be compared, and so no more rows.
        samples: Those of the divergent batch that differ, where they were kept.
        certificate: Of a reproduced bundle.
        resume: Of an interrupted and resumed training.
        sides: What the two runs are called.
        seconds: How long both took together, until the last that was recorded.
        agreement: In what processes of one run that train together do not agree, one sentence each.
    """

    command: str
    created: str
    runs: tuple[str, str]
    verdict: VerdictRow
    first: FirstRow | None
    causes: tuple[CauseRow, ...]
    notes: tuple[str, ...]
    experiments: tuple[ExperimentRow, ...]
    maps: tuple[MapRow, ...]
    steps: tuple[StepRow, ...]
    curves: tuple[CurveRow, ...]
    batch: BatchRow | None
    output: OutputRow | None
    conditions: tuple[ConditionRow, ...]
    num_packages: int
    sources: tuple[SourceRow, ...]
    coverage: CoverageRow
    samples: tuple[SampleRow, ...] = ()
    certificate: CertificateRow | None = None
    resume: ResumeRow | None = None
    sides: tuple[str, str] = ("baseline", "candidate")
    seconds: float = 0.0
    agreement: tuple[str, ...] = ()

    @property
    def has_free_seed(self) -> bool:
        """Whether the hash seeds differ as they do on purpose: drawn anew for each run, and not to blame."""
        names = {row.name for row in self.conditions if row.differs}
        return HASH_SEED in names and all(cause.kind != "hash-order" for cause in self.causes)

"""The records that everything else is made of.

A *run* leaves a *trace*. A trace is a sequence of *frames* per process, a frame is a sequence of *events*, and an
event is a name with a digest. Comparing two traces gives a `Comparison`. Records are frozen and hold only plain
values of the standard library, so that reading and comparing need neither numpy nor PyTorch.

    events      stages, events, layouts and frames; numbers kept beside a digest
    runs        how a run is recorded, and its header
    operations  single operations: where runs part, which are unstable, which read memory that nothing has written
    causes      the kinds of causes, and a cause
    cells       names of the code of a notebook's cells
    comparison  verdict, first divergence, counts and gaps
    output      what differs in what two runs have saved, printed and left as files
    skipped     evidence that was not compared
    telling     numbers with their nouns, a verdict as HTML

Left out on purpose: how records are stored (`reproof.trace`) and how they are shown (`reproof.cli`).
"""

from __future__ import annotations

from reproof.schema.causes import (
    CAUSE_KINDS,
    Cause,
    CauseKind,
    Fix,
    FixAction,
    parse_kind,
)
from reproof.schema.cells import split_cell
from reproof.schema.comparison import (
    DIFFERENT,
    EQUAL,
    JSON_SCHEMA,
    NO_EVENT,
    NOT_COMPARED,
    Beside,
    Comparison,
    Condition,
    Difference,
    LossGap,
    RngGap,
    StageCount,
    StepMap,
    Verdict,
)
from reproof.schema.events import (
    DIGEST_BYTES,
    MODEL,
    NO_DIGEST,
    RNG_CUDA,
    RNG_LOADER,
    RNG_SOURCES,
    STAGES,
    STATISTICS,
    Detail,
    Event,
    Frame,
    Layout,
    Numbers,
    NumbersKind,
    Stage,
)
from reproof.schema.operations import (
    OP_PHASES,
    OpCause,
    OpDifference,
    OpExample,
    OpPhase,
    PoisonedEvent,
    Repetitions,
    UnstableOp,
    relative_to_here,
)
from reproof.schema.output import OutputDifference, OutputKind, OutputResult
from reproof.schema.runs import (
    LEVELS,
    PROCESSES,
    Level,
    Origin,
    Parallel,
    Probes,
    RunHeader,
)
from reproof.schema.skipped import Skipped

__all__ = [
    "CAUSE_KINDS",
    "DIFFERENT",
    "DIGEST_BYTES",
    "EQUAL",
    "JSON_SCHEMA",
    "LEVELS",
    "MODEL",
    "NOT_COMPARED",
    "NO_DIGEST",
    "NO_EVENT",
    "OP_PHASES",
    "PROCESSES",
    "RNG_CUDA",
    "RNG_LOADER",
    "RNG_SOURCES",
    "STAGES",
    "STATISTICS",
    "Beside",
    "Cause",
    "CauseKind",
    "Comparison",
    "Condition",
    "Detail",
    "Difference",
    "Event",
    "Fix",
    "FixAction",
    "Frame",
    "Layout",
    "Level",
    "LossGap",
    "Numbers",
    "NumbersKind",
    "OpCause",
    "OpDifference",
    "OpExample",
    "OpPhase",
    "Origin",
    "OutputDifference",
    "OutputKind",
    "OutputResult",
    "Parallel",
    "PoisonedEvent",
    "Probes",
    "Repetitions",
    "RngGap",
    "RunHeader",
    "Skipped",
    "Stage",
    "StageCount",
    "StepMap",
    "UnstableOp",
    "Verdict",
    "parse_kind",
    "relative_to_here",
    "split_cell",
]

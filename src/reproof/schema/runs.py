"""How a run is recorded, and what is known of it once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

Level = Literal["batches", "steps", "modules", "ops"]
LEVELS: Final[tuple[Level, ...]] = get_args(Level)

PROCESSES: Final = "processes"
"""Folder within a trace that holds the traces of processes which others have started, each in a folder of its label."""


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
        other_memory: File and line whose uninitialised memory is filled with small numbers instead, to see whether it
            matters what it holds.
        notes_numbers: Note which numbers tensors give to Python, in the whole run.
        samples_step: Step whose batch is kept as small pictures; None for none.
    """

    ops_steps: tuple[int, int] | None = None
    keeps_op_values: bool = False
    repeats_ops: bool = False
    poisons: bool = False
    other_memory: tuple[str, int] | None = None
    notes_numbers: bool = False
    samples_step: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a process comes from that another process of the run has started.

    Attributes:
        label: Its place among all processes of the run: the rank of the first, and the number of each child on the way
            to this one, such as ``0.2``. The same in every run that starts its processes in one order.
        file: The user's file that started it, or None if no line of the user's is known.
        line: The line, 1-based, or None.
        num_events: Events that its parent had recorded by then; None if that is not known.
        rank: Its place among the processes that train together, as they number themselves; None if it trains alone.
        restart: How often its launcher had started the training anew by then.
    """

    label: str
    file: str | None = None
    line: int | None = None
    num_events: int | None = None
    rank: int | None = None
    restart: int = 0

    def __str__(self) -> str:
        """Return what it is called: ``process 0.2 (rank 1, train.py:34)``, or ``task`` for one of a pool."""
        kind = "task" if ".pool" in self.label and self.label.rpartition(".")[2][:1].isalpha() else "process"
        told = ", ".join(
            (
                *(() if self.rank is None else (f"rank {self.rank}",)),
                *((f"restart {self.restart}",) if self.restart else ()),
                *(() if self.file is None else (f"{self.file}:{self.line}",)),
            )
        )
        return f"{kind} {self.label}{f' ({told})' if told else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parallel:
    """How a model is trained by several processes, as one of them knows it.

    Attributes:
        model: Its name.
        rank: This process.
        ranks: The processes that train it together, each on samples of its own; empty if that is not known.
        replicas: Those of them that hold the same parameters as this one, itself among them.
        apart: Names of what they hold that may differ all the same.
    """

    model: str
    rank: int
    ranks: tuple[int, ...]
    replicas: tuple[int, ...]
    apart: tuple[str, ...] = ()


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
        origin: Where the process comes from, in the trace of one that another has started; else None.
        parallel: Models that it trains together with other processes.
        remarks: What it did that hardly anybody means to do, one sentence each.
    """

    run_id: str
    status: str
    level: Level
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
    origin: Origin | None = None
    parallel: tuple[Parallel, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether the training came to its own successful end and every piece of evidence was taken."""
        return self.status == "complete" and not self.problems

"""What is in a trace, at a glance: sizes, counts per stage, what was skipped, losses and metrics.

Left out: the conditions of the run (`reproof.environment.highlights`), a step in full (`reproof.trace.views.steps`),
and how all of it is shown (`reproof.cli`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reproof.errors import TraceError
from reproof.schema import PROCESSES, STAGES, Event, Origin, Stage
from reproof.trace import format as fmt
from reproof.trace.files import list_folder
from reproof.trace.rank import COLUMN_FRAMES
from reproof.trace.reader import RECORDED, list_processes, name_calls
from reproof.trace.views.curves import MAX_SAMPLED, SampledCurves, sample_curves
from reproof.trace.views.salvage import salvage_trace

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping

    from reproof.schema import RunHeader
    from reproof.trace.rank import RankTrace
    from reproof.trace.views.curves import Curve
    from reproof.trace.views.salvage import SalvagedTrace

MAX_LAST: Final = 8
"""Frames that are read to find the last loss of a process."""

MAX_METRIC_FRAMES: Final = 128
"""Frames of which metrics are read: those of an evaluation can hold many numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventCount:
    """How often an event happened in a run, over all its processes."""

    event: Event
    times: int

    def to_json(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
        return {**self.event._asdict(), "times": self.times}


@dataclass(frozen=True, slots=True, kw_only=True)
class StageTotal:
    """What was recorded of one stage.

    Attributes:
        num_events: Events, those that were skipped among them.
        num_tensors: Tensors and arrays that they cover.
        num_skipped: Events for which no digest could be taken.
    """

    stage: Stage
    num_events: int
    num_tensors: int
    num_skipped: int

    def to_json(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
        return {"events": self.num_events, "tensors": self.num_tensors, "skipped": self.num_skipped}


@dataclass(frozen=True, slots=True, kw_only=True)
class RankSummary:
    """What one process recorded.

    Attributes:
        num_frames: Frames that can be read.
        num_steps: Steps that ended.
        steps: First and last step of which something was recorded; None if nothing was. What came after the last
            optimizer step counts as one more.
        elapsed_seconds: Time from the start of the recording to the last frame.
    """

    rank: int
    num_frames: int
    num_steps: int
    steps: tuple[int, int] | None
    elapsed_seconds: float

    def to_json(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
        return {
            "rank": self.rank,
            "frames": self.num_frames,
            "steps": self.num_steps,
            "elapsed_seconds": self.elapsed_seconds,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSummary:
    """What a process recorded that another one has started.

    Attributes:
        name: What it is called in sentences: ``process 0.2 (train.py:34)``.
        num_steps: Steps that ended.
        incomplete: Why this is not the record of the whole process, or None.
        rank: Its rank among those that train together, or None.
        last_loss: Its last loss, or None.
    """

    name: str
    label: str
    num_steps: int
    num_events: int
    incomplete: str | None
    rank: int | None = None
    last_loss: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
        return {
            "label": self.label,
            "name": self.name,
            "steps": self.num_steps,
            "events": self.num_events,
            "incomplete": self.incomplete,
            "rank": self.rank,
            "last_loss": None if self.last_loss is None else repr(self.last_loss),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """What is in a trace.

    Attributes:
        folder: The folder, as the user named it.
        header: What is known of the run once; None if it cannot be read.
        num_bytes: Size of its files.
        ranks: What each process recorded.
        stages: What was recorded of each stage, in the order of a step, over all processes.
        skipped: Events for which no digest could be taken, with the reasons.
        losses: The losses of the first process, one curve per name.
        metrics: Its metrics that are single numbers.
        incomplete: Why this is not the record of a whole run, or None.
        damage: What cannot be read, one line each. Only what was looked at: `SalvagedTrace.verify` looks at everything.
        children: What the processes recorded that these have started.
        first: What the first process recorded, if it trains together with some of these.
    """

    folder: str
    header: RunHeader | None
    num_bytes: int
    ranks: tuple[RankSummary, ...] = ()
    stages: tuple[StageTotal, ...] = ()
    skipped: tuple[EventCount, ...] = ()
    losses: tuple[Curve, ...] = ()
    metrics: tuple[Curve, ...] = ()
    incomplete: str | None = None
    damage: tuple[str, ...] = ()
    children: tuple[ChildSummary, ...] = ()
    first: tuple[ChildSummary, ...] = ()

    @property
    def num_steps(self) -> int:
        """Steps that ended, of the process with most of them."""
        return max((rank.num_steps for rank in self.ranks), default=0)

    @property
    def num_frames(self) -> int:
        """Frames of all processes."""
        return sum(rank.num_frames for rank in self.ranks)

    @property
    def num_events(self) -> int:
        """Events of all processes."""
        return sum(stage.num_events for stage in self.stages)

    @property
    def num_tensors(self) -> int:
        """Tensors and arrays that the events of all processes cover."""
        return sum(stage.num_tensors for stage in self.stages)

    @property
    def elapsed_seconds(self) -> float:
        """Time from the start of the recording to the last frame."""
        return max((rank.elapsed_seconds for rank in self.ranks), default=0.0)

    def to_json(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
        return {
            "run": self.folder,
            **({} if self.header is None else _header_fields(self.header)),
            "incomplete": self.incomplete,
            "damage": list(self.damage),
            "bytes": self.num_bytes,
            "steps": self.num_steps,
            "elapsed_seconds": self.elapsed_seconds,
            "ranks": [rank.to_json() for rank in self.ranks],
            "stages": {total.stage: total.to_json() for total in self.stages},
            "skipped": [found.to_json() for found in self.skipped],
            "losses": [curve.to_json() for curve in self.losses],
            "metrics": [curve.to_json() for curve in self.metrics],
            "children": [child.to_json() for child in self.children],
        }


def _header_fields(header: RunHeader) -> dict[str, Any]:
    """Return what the header says of the run itself; its environment is a matter of its own."""
    names = ("run_id", "status", "ended", "exit_code", "level", "num_batches", "statistics", "num_ranks", "created")
    lists = {"command": list(header.command), "problems": list(header.problems)}
    return {**{name: getattr(header, name) for name in names}, **lists}


def summarise(trace: SalvagedTrace) -> RunSummary:
    """Summarise a trace; the time that it takes hardly grows with the trace's length.

    Raises TraceError if its folder is gone meanwhile.
    """
    damage = list(trace.damage)
    counts: Counter[Event] = Counter()
    for rank in trace.ranks.values():
        found, missing = count_events(rank)
        counts += found
        damage += [f"layout {number} of rank {rank.rank} is missing" for number in missing]
        if (index := rank.find_disorder()) is not None:
            damage.append(f"frame {index} of rank {rank.rank} is of step {rank.record(index).step}, after a later one")
    losses, metrics = _sample(trace, "loss"), _sample(trace, "metric", MAX_METRIC_FRAMES)
    damage += [*losses.damage, *metrics.damage]
    return RunSummary(
        folder=str(trace.folder),
        header=trace.header,
        num_bytes=measure_files(trace.folder),
        ranks=tuple(summarise_rank(rank) for rank in trace.ranks.values()),
        stages=total_stages(counts),
        skipped=tuple(EventCount(event=event, times=n) for event, n in counts.items() if event.skipped is not None),
        losses=losses.curves,
        metrics=metrics.curves,
        incomplete=trace.explain_incomplete(),
        damage=tuple(dict.fromkeys(damage)),
        children=tuple(summarise_children(trace.folder)),
        first=tuple(summarise_first(trace)),
    )


def summarise_first(trace: SalvagedTrace) -> Iterator[ChildSummary]:
    """Yield what the first process recorded, if it is one of those that train together: some launch their own ranks."""
    parallel = () if trace.header is None or trace.header.origin is not None else trace.header.parallel
    for own in parallel[:1]:
        yield ChildSummary(
            name=f"rank {own.rank}",
            label="0",
            num_steps=sum(rank.num_steps for rank in trace.ranks.values()),
            num_events=sum(rank.num_events for rank in trace.ranks.values()),
            incomplete=trace.explain_incomplete(),
            rank=own.rank,
            last_loss=read_last_loss(trace),
        )


def summarise_children(folder: Path) -> Iterator[ChildSummary]:
    """Yield what the processes recorded that others of a run have started, in the order of their start."""
    labels = list_processes(folder)
    for label, name in zip(labels, name_calls(labels), strict=True):
        try:
            trace = salvage_trace(folder / PROCESSES / label)
        except TraceError:
            told = str(Origin(label=name))
            yield ChildSummary(name=told, label=name, num_steps=0, num_events=0, incomplete="it left no trace")
            continue
        known = None if trace.header is None else trace.header.origin
        yield ChildSummary(
            name=str(replace(known or Origin(label=name), label=name)),
            label=name,
            num_steps=sum(rank.num_steps for rank in trace.ranks.values()),
            num_events=sum(rank.num_events for rank in trace.ranks.values()),
            incomplete=trace.explain_incomplete(),
            rank=None if known is None else known.rank,
            last_loss=None if known is None or known.rank is None else read_last_loss(trace),
        )


def find_rank(run: str | os.PathLike[str], rank: int) -> str | os.PathLike[str]:
    """Return the folder of the trace in which a rank is: of the run, or of a process that another has started.

    Raises TraceError if there is no such rank.
    """
    folder = Path(run)
    trace = salvage_trace(folder)
    own = set(trace.ranks) if trace.header is not None and trace.header.num_ranks > 1 else set()
    first = {child.rank for child in summarise_first(trace)}
    if rank in first:
        return run
    if rank in own:
        return run
    found = {child.rank: child.label for child in summarise_children(folder) if child.rank is not None}
    if rank not in found:
        known = ", ".join(map(str, sorted({*own, *found, *(known for known in first if known is not None)}))) or "none"
        raise TraceError(f"{folder} has no rank {rank}", f"its ranks: {known}", slug="trace-missing")
    return folder / PROCESSES / found[rank]


def read_last_loss(trace: SalvagedTrace) -> float | None:
    """Return the last loss of a process, of the first of its losses; None if it has none that was kept."""
    curves = _sample(trace, "loss", MAX_LAST).curves
    return curves[0].points[-1].value if curves and curves[0].points else None


def _sample(trace: SalvagedTrace, stage: Stage, max_frames: int = MAX_SAMPLED) -> SampledCurves:
    first = next(iter(trace.ranks.values()), None)
    return SampledCurves((), ()) if first is None else sample_curves(first, stage, max_frames)


def count_events(rank: RankTrace) -> tuple[Counter[Event], list[int]]:
    """Return how often each event happened, and the layouts that frames name and the trace lacks."""
    times: Counter[int] = Counter()
    for start in range(0, rank.num_frames, COLUMN_FRAMES):
        times.update(rank.column("layout", start, min(start + COLUMN_FRAMES, rank.num_frames)))
    total: Counter[Event] = Counter()
    for number, num_frames in times.items():
        for event in rank.layouts[number].events if number < len(rank.layouts) else ():
            total[event] += num_frames
    return total, [number for number in times if number >= len(rank.layouts)]


def list_events(trace: SalvagedTrace, stage: Stage) -> tuple[EventCount, ...]:
    """Return the events of one stage and how often each happened, over all processes, in the order of first sight."""
    counts: Counter[Event] = Counter()
    for rank in trace.ranks.values():
        counts += count_events(rank)[0]
    return tuple(EventCount(event=event, times=n) for event, n in counts.items() if event.stage == stage)


def total_stages(counts: Mapping[Event, int]) -> tuple[StageTotal, ...]:
    """Return the totals of every stage of which there are events."""
    events, tensors, skipped = Counter[Stage](), Counter[Stage](), Counter[Stage]()
    for event, times in counts.items():
        events[event.stage] += times
        tensors[event.stage] += times * event.num_tensors
        skipped[event.stage] += times if event.skipped is not None else 0
    return tuple(
        StageTotal(stage=stage, num_events=events[stage], num_tensors=tensors[stage], num_skipped=skipped[stage])
        for stage in STAGES
        if events[stage]
    )


def summarise_rank(rank: RankTrace) -> RankSummary:
    """Summarise what one process recorded."""
    ends = None
    elapsed_ms = 0
    if rank.num_frames:
        first, last = rank.record(0), rank.record(rank.num_frames - 1)
        ends = (first.step, last.step)
        elapsed_ms = last.elapsed_ms
    return RankSummary(
        rank=rank.rank,
        num_frames=rank.num_frames,
        num_steps=rank.num_steps,
        steps=ends,
        elapsed_seconds=elapsed_ms / 1000,
    )


def measure_files(folder: Path) -> int:
    """Return the size of a trace's files in bytes; other files in its folder do not count.

    Raises TraceError if the folder is gone meanwhile.
    """
    names = list_folder(folder, "trace", RECORDED)
    own = (folder / name for name in names if name == fmt.RUN_FILE or fmt.rank_of(name) is not None)
    return sum(path.stat().st_size for path in own if path.is_file())

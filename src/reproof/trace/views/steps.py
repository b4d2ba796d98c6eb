"""One step of a run in full: its events with digests and numbers, and the states of the random number generators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reproof.errors import UsageError
from reproof.schema import RNG_CUDA, RNG_LOADER, RNG_SOURCES, STATISTICS, Event, Numbers
from reproof.trace import format as fmt
from reproof.trace.views.export import spell_numbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reproof.schema import Stage
    from reproof.trace.rank import RankTrace


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEvent:
    """An event as it happened in one step.

    Attributes:
        digest: Its digest in hexadecimal; None if none could be taken.
        exact: Its elements, where they were kept.
        statistics: Summary statistics by name, where they were kept.
    """

    event: Event
    digest: str | None
    exact: tuple[int | float | str, ...] | None = None
    statistics: tuple[tuple[str, float], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
        spelled = spell_numbers([value for _, value in self.statistics])
        return {
            **self.event._asdict(),
            "digest": self.digest,
            "exact": None if self.exact is None else spell_numbers(list(self.exact)),
            "statistics": dict(zip([name for name, _ in self.statistics], spelled, strict=True)) or None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RngState:
    """The state of a random number generator at the end of a step: 64 bits of its digest, in hexadecimal."""

    generator: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord:
    """What one process recorded of one step.

    Attributes:
        is_after_last: Whether this came after the last optimizer step of the run.
        frames: Positions of its first and last frame.
        elapsed_seconds: Time from the start of the recording to the end of the step.
        events: Its events, in execution order.
        rng: The states of the generators at its end, where they were recorded.
    """

    rank: int
    step: int
    is_after_last: bool
    frames: tuple[int, int]
    elapsed_seconds: float
    events: tuple[StepEvent, ...]
    rng: tuple[RngState, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
        return {
            "rank": self.rank,
            "step": self.step,
            "is_after_last": self.is_after_last,
            "frames": list(self.frames),
            "elapsed_seconds": self.elapsed_seconds,
            "events": [event.to_json() for event in self.events],
            "rng": {state.generator: state.digest for state in self.rng},
        }


def read_steps(ranks: Iterable[RankTrace], step: int, stage: Stage | None = None) -> tuple[StepRecord, ...]:
    """Read a step of every process that recorded something of it.

    The step is 0-based; a stage of None is for all. Raises UsageError if none of them recorded anything in this step
    and TraceError if a frame of the step is damaged.
    """
    ranks = tuple(ranks)
    found = tuple(read_step(rank, step, stage) for rank in ranks if step >= 0 and rank.find_step(step))
    if not found:
        raise UsageError(f"nothing was recorded in step {step}", _name_range(ranks))
    return found


def _name_range(ranks: Iterable[RankTrace]) -> str:
    ends = [(rank.record(0).step, rank.record(rank.num_frames - 1).step) for rank in ranks if rank.num_frames]
    if not ends:
        return "the trace holds no steps"
    first, last = min(start for start, _ in ends), max(end for _, end in ends)
    return f"name a step from {first} to {last}" if last > first else f"the trace holds step {first} alone"


def read_step(rank: RankTrace, step: int, stage: Stage | None = None) -> StepRecord:
    """Read a step of one process, which must have recorded something of it.

    Raises TraceError if a frame of the step is damaged.
    """
    positions = rank.find_step(step)
    events: list[StepEvent] = []
    rng: tuple[RngState, ...] = ()
    for index in positions:
        frame, numbers = rank.frame(index), rank.numbers(index)
        for position, event in enumerate(frame.layout.events):
            kept = {kind: found for kind in fmt.KINDS if (found := numbers.get((position, kind))) is not None}
            rng = tuple(read_rng(kept["rng"])) if "rng" in kept else rng
            if stage is None or event.stage == stage:
                events.append(_describe(event, frame.digest(position), kept))
    return StepRecord(
        rank=rank.rank,
        step=step,
        is_after_last=step >= rank.num_steps,
        frames=(positions[0], positions[-1]),
        elapsed_seconds=rank.frame(positions[-1]).elapsed_seconds,
        events=tuple(events),
        rng=rng,
    )


def _describe(event: Event, digest: bytes, kept: dict[str, Numbers]) -> StepEvent:
    exact, statistics = (kept.get(kind) for kind in ("exact", "statistics"))
    pairs = () if statistics is None else zip(STATISTICS, statistics.values, strict=False)
    return StepEvent(
        event=event,
        digest=None if event.skipped is not None else digest.hex(),
        exact=None if exact is None else exact.values,
        statistics=tuple((name, float(value)) for name, value in pairs),
    )


def read_rng(numbers: Numbers) -> Iterator[RngState]:
    """Yield the states that numbers of kind ``rng`` hold."""
    values = [value for value in numbers.values if isinstance(value, int) and value >= 0]
    for source, digest in zip(values[::2], values[1::2], strict=False):
        yield RngState(generator=name_generator(source), digest=digest.to_bytes(8, "little").hex())


def name_generator(source: int) -> str:
    """Return the name of a random number generator: ``python``, ``cuda:0``, ``loader2`` and so on."""
    if source >= RNG_LOADER:
        return f"loader{source - RNG_LOADER}"
    if source >= RNG_CUDA:
        return f"cuda:{source - RNG_CUDA}"
    return RNG_SOURCES.get(source, f"generator {source}")

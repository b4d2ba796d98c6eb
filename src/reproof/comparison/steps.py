"""What became of each step and stage: equal, different, not compared, or without an event.

Filled in the same pass that counts differences (`alignment`, `tables`), and only where it was asked for: a page draws
it as a map. Four states in one byte per step and stage; the larger one wins where a stage has several events.
"""

from __future__ import annotations

from itertools import pairwise
from operator import eq
from typing import TYPE_CHECKING, Final

from reproof.schema import DIFFERENT, DIGEST_BYTES, EQUAL, NOT_COMPARED, STAGES, StepMap

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reproof.schema import Event, Layout, Stage
    from reproof.trace import RankTrace

IS_DIFFERENT: Final = bytes([EQUAL, *[DIFFERENT] * 255])
"""Translates a byte that is zero where digests are equal into a state."""

CHUNK_FRAMES: Final = 65536


class StepStates:
    """The states of one process, while its traces are compared."""

    def __init__(self, num_columns: int) -> None:
        """Begin without any event.

        There is a column for each step, and one more for what came after the last of them.
        """
        self.num_columns = num_columns
        self._planes: dict[Stage, bytearray] = {}

    def plane(self, stage: Stage) -> bytearray:
        """Return the states of a stage, one byte per step."""
        if stage not in self._planes:
            self._planes[stage] = bytearray(self.num_columns)
        return self._planes[stage]

    def mark(self, stage: Stage, step: int, state: int) -> None:
        """Note the state of one event."""
        plane = self.plane(stage)
        plane[step] = max(plane[step], state)

    def mark_rows(self, stage: Stage, steps: Sequence[int], states: bytes) -> None:
        """Note the states of a stage in several frames.

        A range of steps, where they follow each other, takes no look at each; `states` has the state of each frame.
        """
        plane = self.plane(stage)
        if isinstance(steps, range):
            start, stop = steps.start, steps.stop
            is_free = not any(plane[start:stop])
            plane[start:stop] = states if is_free else bytes(map(max, plane[start:stop], states))
            return
        for step, state in zip(steps, states, strict=True):
            plane[step] = max(plane[step], state)

    def mark_layout(self, layout: Layout, steps: Sequence[int], state: int = EQUAL) -> None:
        """Note that all events of frames of one layout have one state; those without a digest were not compared."""
        steps = simplify(steps)
        for stage, is_compared in {(event.stage, event.skipped is None) for event in layout.events}:
            self.mark_rows(stage, steps, bytes([state if is_compared else NOT_COMPARED]) * len(steps))

    def mark_frames(self, trace: RankTrace, start: int, stop: int, state: int = EQUAL) -> None:
        """Note one state for all events of some frames."""
        for begin in range(start, stop, CHUNK_FRAMES):
            end = min(begin + CHUNK_FRAMES, stop)
            steps, layouts = trace.column("step", begin, end), trace.column("layout", begin, end)
            bounds = [0, *(i for i in range(1, len(layouts)) if layouts[i] != layouts[i - 1]), len(layouts)]
            for first, last in pairwise(bounds):
                self.mark_layout(trace.layout(layouts[first]), steps[first:last], state)

    def mark_table(self, layout: Layout, steps: Sequence[int], difference: bytes) -> None:
        """Note the states in frames of one layout from the bitwise difference of their tables of digests."""
        width, fields, steps = len(layout.events), fold_fields(difference), simplify(steps)
        for stage, positions in _positions_by_stage(layout.events).items():
            merged = 0
            for position in positions:
                merged |= int.from_bytes(fields[position::width], "little")
            self.mark_rows(stage, steps, merged.to_bytes(len(steps), "little").translate(IS_DIFFERENT))
        for event in layout.events:
            if event.skipped is not None:
                self.mark_rows(event.stage, steps, bytes([NOT_COMPARED]) * len(steps))

    def settle(self, stage: Stage) -> None:
        """Take back all differences of a stage: they were looked at, and do not count."""
        if stage in self._planes:
            self._planes[stage] = self._planes[stage].replace(bytes([DIFFERENT]), bytes([EQUAL]))

    def to_map(self, rank: int, num_steps: int) -> StepMap:
        """Return the states of all stages that have an event, in the order in which they happen."""
        planes = tuple((stage, bytes(self._planes[stage])) for stage in STAGES if stage in self._planes)
        return StepMap(rank=rank, num_steps=num_steps, planes=planes)


def make_states(a: RankTrace, b: RankTrace) -> StepStates:
    """Return states without any event, with room for the steps of the longer trace."""
    return StepStates(max((trace.record(len(trace) - 1).step + 1 for trace in (a, b) if len(trace)), default=0))


def fold_fields(difference: bytes) -> bytes:
    """Return one byte for each digest of a table: zero where all bits of its difference are.

    Halves are joined again and again: the standard library's fastest way to ask each 16 bytes whether any is set.
    """
    if len(difference) % DIGEST_BYTES:
        raise ValueError(len(difference))
    for typecode in ("Q", "I", "H", "B"):
        halves = memoryview(difference).cast(typecode)
        low, high = halves[::2].tobytes(), halves[1::2].tobytes()
        joined = int.from_bytes(low, "little") | int.from_bytes(high, "little")
        difference = joined.to_bytes(len(low), "little")
    return difference


def _positions_by_stage(events: Iterable[Event]) -> dict[Stage, list[int]]:
    found: dict[Stage, list[int]] = {}
    for position, event in enumerate(events):
        if event.skipped is None:
            found.setdefault(event.stage, []).append(position)
    return found


def simplify(steps: Sequence[int]) -> Sequence[int]:
    """Return steps as a range if each follows the one before."""
    whole = range(steps[0], steps[-1] + 1)
    return whole if len(whole) == len(steps) and all(map(eq, steps, whole)) else steps

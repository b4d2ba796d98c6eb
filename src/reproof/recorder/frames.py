"""Collect events into frames and count steps.

This is the hot path of a recording: one call per event, one per step. Left out: what an event is made of
(`evidence`), where it comes from (`loaders`, `models`, `steps`), and how a frame is stored (`reproof.trace`).
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from reproof.entropy.handled import let_through
from reproof.schema import NO_DIGEST, Event
from reproof.trace import format as fmt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from reproof.trace import RankWriter

Value = tuple[str, str, bytes]
"""Numbers to keep with an event: kind, element type (a `struct` character), little-endian bytes."""

Entry = tuple[int, bytes, tuple[Value, ...]]
"""One event as `FrameBuilder.add` takes it: its number, its digest and numbers to keep."""


class FrameBuilder:
    """Gathers the events of the current step and hands whole frames to the writer.

    Threads of the training may record at the same time; a lock keeps each event whole.

    Attributes:
        step: 0-based index of the current step.
        num_events: Events taken so far, without those put at the front of a step.
        num_at_front: Those.
    """

    def __init__(self, writer: RankWriter, on_full: Callable[[OSError], None]) -> None:
        """Start with an empty frame.

        Args:
            writer: Where whole frames go.
            on_full: Called once if the file system refuses; nothing is collected from then on.
        """
        self._writer = writer
        self._on_full = on_full
        self._lock = threading.RLock()
        self._ids: list[int] = []
        self._digests: list[bytes] = []
        self._values: list[tuple[int, Value]] = []
        self._diverted: dict[int, list[Entry]] = {}
        self._noted: dict[int, tuple[Value, ...]] = {}
        self._broken = False
        self._step_is_open = False
        self.step = 0
        self.num_events = 0
        self.num_at_front = 0

    def number_event(self, event: Event) -> int | None:
        """Return the number under which `add` takes digests of this event, or None if nothing is collected any more."""
        with self._lock:
            if self._broken:
                return None
            try:
                return self._writer.event_id(event)
            except OSError as error:
                self._give_up(error)
                return None

    def add(self, event_id: int, digest: bytes, values: tuple[Value, ...] = ()) -> None:
        """Add an event to the current step."""
        if self._noted:
            values += self._noted.pop(threading.get_ident(), ())
        if self._diverted and (entries := self._diverted.get(threading.get_ident())) is not None:
            entries.append((event_id, digest, values))
            return
        with self._lock:
            if self._broken:
                return
            for value in values:
                self._values.append((len(self._ids), value))
            self._ids.append(event_id)
            self._digests.append(digest)
            self.num_events += 1
            if len(self._ids) >= fmt.MAX_EVENTS_PER_FRAME:
                self._flush(0)

    def add_all(self, event_ids: Sequence[int], digests: list[bytes], values: Sequence[tuple[int, Value]] = ()) -> None:
        """Add several events to the current step; each of the `values` comes with the position of its event."""
        if self._diverted and threading.get_ident() in self._diverted:
            for position, (event_id, digest) in enumerate(zip(event_ids, digests, strict=True)):
                self.add(event_id, digest, tuple(value for place, value in values if place == position))
            return
        with self._lock:
            if self._broken:
                return
            first = len(self._ids)
            for position, value in values:
                self._values.append((first + position, value))
            self._ids += event_ids
            self._digests += digests
            self.num_events += len(digests)
            if len(self._ids) >= fmt.MAX_EVENTS_PER_FRAME:
                self._flush(0)

    @contextmanager
    def noting(self, values: tuple[Value, ...]) -> Iterator[None]:
        """Keep numbers with the first event that the current thread adds within the context by `add`, if there is one.

        Args:
            values: Numbers of kinds that the event has none of.
        """
        ident = threading.get_ident()
        self._noted[ident] = values
        try:
            yield
        finally:
            self._noted.pop(ident, None)

    @contextmanager
    def divert(self, entries: list[Entry]) -> Iterator[None]:
        """Put the events that the current thread adds within the context into a list instead of the frame."""
        ident = threading.get_ident()
        self._diverted[ident] = entries
        try:
            yield
        finally:
            del self._diverted[ident]

    @contextmanager
    def at_front(self) -> Iterator[None]:
        """Put the events added within the context before those that the current step holds already."""
        with self._lock:
            held = (self._ids, self._digests, self._values)
            self._ids, self._digests, self._values = [], [], []
            num_events = self.num_events
            try:
                yield
            finally:
                self._values += [(position + len(self._ids), value) for position, value in held[2]]
                self._ids += held[0]
                self._digests += held[1]
                self.num_at_front += self.num_events - num_events
                self.num_events = num_events

    def skip(self, event: Event) -> None:
        """Add an event for which no digest could be taken; `event.skipped` says why."""
        event_id = self.number_event(event)
        if event_id is not None:
            self.add(event_id, NO_DIGEST)

    def end_step(self, rng: bytes = b"") -> None:
        """End the current step: what was added belongs to it, what comes next to the step after.

        Args:
            rng: States of the random number generators, kept with the first event of the frame: pairs of uint64.
        """
        with self._lock:
            if rng and self._ids:
                self._values.append((0, ("rng", "Q", rng)))
            self._close_step(fmt.ENDS_STEP)
            self.step += 1

    def finish(self) -> None:
        """Write what came after the last step."""
        with self._lock:
            self._close_step(fmt.ENDS_STEP | fmt.ENDS_RUN)

    def _close_step(self, flags: int) -> None:
        """Mark the end of the step, unless nothing was recorded in it."""
        if (self._ids or self._step_is_open) and not self._broken:
            self._flush(flags)

    def _flush(self, flags: int) -> None:
        self._step_is_open = not flags & fmt.ENDS_STEP
        try:
            self._writer.append_frame(
                tuple(self._ids), b"".join(self._digests), pack_values(self._values), self.step, flags
            )
        except OSError as error:
            self._give_up(error)
        self._ids.clear()
        self._digests.clear()
        self._values.clear()

    def _give_up(self, error: OSError) -> None:
        self._broken = True
        self._on_full(error)
        let_through(error)  # `TimeoutError` is an `OSError`, too, and a frame that it interrupts is not whole


def pack_values(values: list[tuple[int, Value]]) -> bytes:
    """Return the stored form of the numbers of a frame."""
    parts: list[bytes] = []
    for position, (kind, code, data) in values:
        parts.append(fmt.VALUE.pack(position, fmt.KINDS[kind], code.encode("ascii"), 0, len(data)))
        parts.append(data)
    return b"".join(parts)

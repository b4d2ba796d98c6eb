"""Collect events into frames and count steps.

This is the hot path of a recording: one call per event, one per step. Left out: what an event is made of
(`evidence`), where it comes from (`loaders`, `models`, `steps`), and how a frame is stored (`reproof.trace`).
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

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

    Threads of the training may record at the same time; a lock keeps each event whole. A thread that trains by itself
    has a builder of its own, a `Branch`, to which this one hands what the thread adds.

    Attributes:
        step: 0-based index of the current step.
        num_events: Events taken so far, without those put at the front of a step.
        num_at_front: Those.
        waiting: Branches that are placed before whatever is added next.
        heir: The builder that takes what is added from now on; None for this one itself.
    """

    def __init__(self, writer: RankWriter, on_full: Callable[[OSError], None]) -> None:
        """Start with an empty frame.

        `on_full` is called once if the file system refuses; nothing is collected from then on.
        """
        self._writer = writer
        self._on_full = on_full
        self._lock = threading.RLock()
        self._ids: list[int] = []
        self._digests: list[bytes] = []
        self._values: list[tuple[int, Value]] = []
        self._diverted: dict[int, list[Entry]] = {}
        self._noted: dict[int, tuple[Value, ...]] = {}
        self._takes_nothing = False
        self._step_is_open = False
        self._thread = threading.local()
        self._has_branches = False
        self.heir: FrameBuilder | None = None
        self.waiting: list[Branch] = []
        self.step = 0
        self.num_events = 0
        self.num_at_front = 0

    def number_event(self, event: Event) -> int | None:
        """Return the number under which `add` takes digests of this event, or None if nothing is collected any more."""
        with self._lock:
            if self._takes_nothing:
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
        if self._has_branches and (own := self._own()) is not self:
            own.add(event_id, digest, values)
            return
        with self._lock:
            if self.heir is not None:
                self.heir.add(event_id, digest, values)
                return
            if self._takes_nothing:
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
        if self._has_branches and (own := self._own()) is not self:
            own.add_all(event_ids, digests, values)
            return
        with self._lock:
            if self.heir is not None:
                self.heir.add_all(event_ids, digests, values)
                return
            if self._takes_nothing:
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

        They are of kinds that the event has none of.
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
        if self._has_branches and (own := self._own()) is not self:
            with own.at_front():
                yield
            return
        with self._lock:
            if self.heir is not None:
                with self.heir.at_front():
                    yield
                return
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

        `rng` has states of the random number generators, kept with the first event of the frame: pairs of uint64.
        """
        if self._has_branches and (own := self._own()) is not self:
            own.end_step(rng)
            return
        with self._lock:
            if self.heir is not None:
                self.heir.end_step(rng)
                return
            if rng and self._ids:
                self._values.append((0, ("rng", "Q", rng)))
            self._close_step(fmt.ENDS_STEP)
            self.step += 1

    def finish(self) -> None:
        """Write what came after the last step."""
        with self._lock:
            self.take_waiting()
            self._close_step(fmt.ENDS_STEP | fmt.ENDS_RUN)
            self._takes_nothing = True  # of threads that go on

    @property
    def is_apart(self) -> bool:
        """Whether what the current thread adds is kept apart for now, in a builder of its own."""
        own = getattr(self._thread, "own", None) if self._has_branches else None
        return own is not None and own.heir is None

    def branch(self, on_dropped: Callable[[], None]) -> Branch:
        """Keep apart from now on what the current thread adds, until it is placed.

        If it becomes too much, `on_dropped` is called once; it is dropped then, and nothing more is kept.
        """
        self._has_branches = True
        branch = self._thread.own = Branch(self, on_dropped)
        return branch

    @contextmanager
    def within(self, branch: Branch | None) -> Iterator[None]:
        """Add what the current thread adds within the context to a branch; with None, to this builder itself."""
        held = getattr(self._thread, "own", None)
        self._thread.own = branch
        try:
            yield
        finally:
            self._thread.own = held

    def release(self) -> None:
        """Keep nothing apart any more that the current thread adds."""
        self._thread.own = None

    def place_later(self, branch: Branch) -> None:
        """Place a branch before whatever the current thread adds next, sorted with others that wait."""
        self._current().waiting.append(branch)

    def place(self, branch: Branch) -> None:
        """Put what a branch holds in place: after what the current step holds, and as steps of its own."""
        self._current().take(branch)

    def take(self, branch: Branch) -> None:
        """Write the frames of a branch, unless that was done; what it holds of a step goes on as one of this builder.

        What this builder holds is written before, also if the branch is empty: wherever a branch goes over to its heir,
        the frames are the same.
        """
        if branch.heir is not None:
            return
        with self._lock, branch.handing_over(self) as frames:
            if self._ids:
                self._flush(0)
            for event_ids, digests, values, flags in frames:
                self._write(event_ids, digests, values, flags)
                self._step_is_open = not flags & fmt.ENDS_STEP
                self.step += bool(flags & fmt.ENDS_STEP)
            self.num_events += branch.num_events
            self.num_at_front += branch.num_at_front
            self._ids, self._digests, self._values = branch._ids, branch._digests, branch._values  # noqa: SLF001

    def _current(self) -> FrameBuilder:
        own = getattr(self._thread, "own", None)
        return self if own is None or own.heir is not None else own

    def _own(self) -> FrameBuilder:
        """Return the builder to which the current thread adds, after having placed what waits for that."""
        own = self._current()
        own.take_waiting()
        return own

    def take_waiting(self) -> None:
        """Place the branches that wait: those of one generation sorted by content."""
        if self.waiting:
            waiting, self.waiting = self.waiting, []
            for branch in sorted(waiting, key=Branch.order):
                self.take(branch)

    def _close_step(self, flags: int) -> None:
        """Mark the end of the step, unless nothing was recorded in it."""
        if (self._ids or self._step_is_open) and not self._takes_nothing:
            self._flush(flags)

    def _flush(self, flags: int) -> None:
        self._step_is_open = not flags & fmt.ENDS_STEP
        self._write(tuple(self._ids), b"".join(self._digests), pack_values(self._values), flags)
        self._ids.clear()
        self._digests.clear()
        self._values.clear()

    def _write(self, event_ids: tuple[int, ...], digests: bytes, values: bytes, flags: int) -> None:
        if self._takes_nothing:
            return
        try:
            self._writer.append_frame(event_ids, digests, values, self.step, flags)
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self._takes_nothing = True
        self._on_full(error)
        let_through(error)  # `TimeoutError` is an `OSError`, too, and a frame that it interrupts is not whole


KeptFrame = tuple[tuple[int, ...], bytes, bytes, int]
"""Events, digests, packed numbers and flags of a frame, as `RankWriter.append_frame` takes them."""

MAX_KEPT_BYTES: Final = 256 << 20
"""What is kept of one branch at most."""


class Branch(FrameBuilder):
    """What one thread adds, kept apart in memory until somebody has waited for it.

    Attributes:
        generation: How many others had been waited for when it was ordered: those came before it.
    """

    def __init__(self, trunk: FrameBuilder, on_dropped: Callable[[], None]) -> None:
        """Start without frames; arguments as those of `FrameBuilder.branch`."""
        super().__init__(trunk._writer, trunk._on_full)  # noqa: SLF001  # of the same class
        self._trunk = trunk
        self._lock = trunk._lock  # noqa: SLF001  # one for all: each asks the other for something, in both directions
        self._on_dropped = on_dropped
        self.generation = 0
        self._kept: list[KeptFrame] = []
        self._num_bytes = 0

    def number_event(self, event: Event) -> int | None:
        """Return the number of an event in the trace."""
        return self._trunk.number_event(event)

    def order(self) -> tuple[int, bytes, bytes]:
        """Return what sorts branches of equal runs alike: which of several threads was faster is chance."""
        with self._lock:
            digests = [*(digests for _, digests, _, _ in self._kept), b"".join(self._digests)]
            return self.generation, digests[0], b"".join(digests)

    @contextmanager
    def handing_over(self, heir: FrameBuilder) -> Iterator[list[KeptFrame]]:
        """Give what is kept to another builder, which takes whatever else the thread adds from then on."""
        with self._lock:
            self.take_waiting()
            yield self._kept
            self._kept = []
            self.heir = heir

    def _write(self, event_ids: tuple[int, ...], digests: bytes, values: bytes, flags: int) -> None:
        self._num_bytes += 8 * len(event_ids) + len(digests) + len(values)
        self._kept.append((event_ids, digests, values, flags))
        if self._num_bytes > MAX_KEPT_BYTES:
            self._takes_nothing = True
            self._kept.clear()
            self._on_dropped()


def pack_values(values: list[tuple[int, Value]]) -> bytes:
    """Return the stored form of the numbers of a frame."""
    parts: list[bytes] = []
    for position, (kind, code, data) in values:
        parts.append(fmt.VALUE.pack(position, fmt.KINDS[kind], code.encode("ascii"), 0, len(data)))
        parts.append(data)
    return b"".join(parts)

"""Events are gathered into frames: a step is written when it ends, and never grows without bound."""

from __future__ import annotations

import errno
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from reproof.entropy.handled import mark
from reproof.recorder.frames import FrameBuilder
from reproof.schema import Event
from reproof.trace import format as fmt

if TYPE_CHECKING:
    from collections.abc import Callable

    from reproof.trace import RankWriter

EVENT = Event(stage="batch", name="loader0(3)")
DIGEST = bytes(range(16))


class Paper:
    """Takes frames as the writer of a trace does; may be full."""

    def __init__(self, room: int = 1000) -> None:
        """Have room for some frames."""
        self.room = room
        self.frames: list[tuple[int, int, int]] = []

    def event_id(self, _event: Event) -> int:
        """Number an event."""
        return 0

    def append_frame(self, event_ids: tuple[int, ...], digests: bytes, values: bytes, step: int, flags: int) -> None:
        """Take a frame: its number of events, step and flags."""
        if len(self.frames) >= self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        assert len(digests) == 16 * len(event_ids)
        self.frames.append((len(event_ids), step, flags))


def make_builder(paper: Any, complaints: list[OSError] | None = None) -> FrameBuilder:
    """Return a builder that writes on paper."""
    writer: RankWriter = paper
    return FrameBuilder(writer, (complaints if complaints is not None else []).append)


def test_a_step_is_one_frame() -> None:
    """Steps without events leave none; what comes after the last step is marked as no step."""
    paper = Paper()
    builder = make_builder(paper)
    for num_events in (2, 0, 1):
        for _ in range(num_events):
            builder.add(0, DIGEST)
        builder.end_step()
    builder.add(0, DIGEST)
    builder.finish()
    ended = fmt.ENDS_STEP
    assert paper.frames == [(2, 0, ended), (1, 2, ended), (1, 3, ended | fmt.ENDS_RUN)]
    assert (builder.step, builder.num_events) == (3, 4)


def test_what_is_put_at_the_front_of_a_step_does_not_count() -> None:
    """The number of events tells when something was: what comes to the front was recorded later than it stands."""
    paper = Paper()
    builder = make_builder(paper)
    builder.add(0, DIGEST)
    with builder.at_front():
        builder.add(0, DIGEST)
        builder.add_all([0, 0], [DIGEST, DIGEST])
    builder.add(0, DIGEST)
    builder.end_step()
    assert (builder.num_events, builder.num_at_front) == (2, 3)
    assert paper.frames == [(5, 0, fmt.ENDS_STEP)]


def test_an_error_of_a_handler_goes_through_where_a_full_disk_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """A `TimeoutError` is an `OSError`, and may come while a frame is written: what is written is then not whole."""
    paper = Paper()
    complaints: list[OSError] = []
    error = TimeoutError("time is up")
    mark(error)

    def interrupt(*_: Any) -> None:
        raise error

    monkeypatch.setattr(paper, "append_frame", interrupt)
    builder = make_builder(paper, complaints)
    builder.add(0, DIGEST)
    with pytest.raises(TimeoutError, match="time is up"):
        builder.end_step()
    assert complaints == [error]
    builder.add(0, DIGEST)
    builder.end_step()  # nothing more is recorded


def test_nothing_recorded_is_nothing_written() -> None:
    """A run without events has no frames."""
    paper = Paper()
    builder = make_builder(paper)
    builder.end_step()
    builder.finish()
    assert paper.frames == []


@pytest.mark.parametrize("extra", [0, 5])
def test_a_long_step_is_written_in_parts(extra: int) -> None:
    """Memory is bounded within a step too: the parts are written as they fill, and the last one ends the step."""
    paper = Paper()
    builder = make_builder(paper)
    for _ in range(2 * fmt.MAX_EVENTS_PER_FRAME + extra):
        builder.add(0, DIGEST)
    builder.end_step()
    builder.end_step()
    part = (fmt.MAX_EVENTS_PER_FRAME, 0, 0)
    assert paper.frames == [part, part, (extra, 0, fmt.ENDS_STEP)]


def test_what_a_thread_adds_after_the_end_is_not_written() -> None:
    """Nor is it told as if the trace could not be written."""
    paper, complaints = Paper(), []
    builder = make_builder(paper, complaints)
    builder.add(0, DIGEST)
    builder.finish()
    paper.room = 0
    assert builder.number_event(EVENT) is None
    builder.add(0, DIGEST)
    builder.end_step()
    assert (len(paper.frames), complaints) == (1, [])


def test_a_full_disk_is_told_once_and_nothing_is_kept() -> None:
    """After it no event is collected or counted, and steps go on being counted."""
    paper, complaints = Paper(room=1), list[OSError]()
    builder = make_builder(paper, complaints)
    for _ in range(4):
        builder.add(0, DIGEST)
        builder.end_step()
    builder.finish()
    assert len(paper.frames) == len(complaints) == 1
    assert builder.number_event(EVENT) is None
    assert (builder.step, builder.num_events) == (4, 2)


class Journal(Paper):
    """Keeps what the frames hold."""

    def __init__(self) -> None:
        """Begin empty."""
        super().__init__()
        self.told: list[tuple[str, int, bool]] = []

    def append_frame(self, event_ids: tuple[int, ...], digests: bytes, values: bytes, step: int, flags: int) -> None:
        """Keep the first byte of each digest, the step, and whether it ends."""
        self.told.append((digests[::16].decode("latin-1"), step, bool(flags & fmt.ENDS_STEP)))


class TestBranches:
    """What a thread trains by itself is kept apart, and placed as a whole."""

    @pytest.mark.parametrize("when", range(6))
    def test_wherever_it_goes_over_the_trace_is_the_same(self, when: int) -> None:
        """Before its first event, within a step, between steps, or after its end."""
        paper = Journal()
        builder = make_builder(paper)
        builder.add(0, b"m" * 16)
        branch = builder.branch(lambda: None)
        tasks: list[Callable[[], None]] = [
            lambda: builder.add(0, b"a" * 16),
            lambda: front(builder, b"i" * 16),
            builder.end_step,
            lambda: builder.add_all([0, 0], [b"b" * 16, b"c" * 16], [(1, ("exact", "d", bytes(8)))]),
            lambda: builder.end_step(bytes(16)),
        ]
        for number, task in enumerate(tasks):
            if number == when:
                builder.take(branch)
            task()
        assert builder.is_apart is (when == len(tasks))
        builder.release()
        builder.place(branch)
        builder.place(branch)  # twice is once
        builder.add(0, b"z" * 16)
        builder.finish()
        assert paper.told == [("m", 0, False), ("ia", 0, True), ("bc", 1, True), ("z", 2, True)]
        assert (builder.step, builder.num_events) == (2, 5)

    def test_it_goes_over_while_the_thread_is_within(self) -> None:
        """Who waits for the thread never holds what the thread waits for, and the thread puts in front as it would."""
        paper = Journal()
        builder = make_builder(paper)
        branches, is_within, goes_over = [], threading.Event(), threading.Event()

        def train() -> None:
            branches.append(builder.branch(lambda: None))
            builder.add(0, b"a" * 16)
            with builder.at_front():
                is_within.set()
                goes_over.wait(5)
                time.sleep(0.05)  # the other one has come to where it waits for this one by now
                builder.add(builder.number_event(EVENT) or 0, b"i" * 16)
            builder.end_step()

        def take() -> None:
            is_within.wait(5)
            goes_over.set()
            builder.take(branches[0])

        threads = [threading.Thread(target=task, daemon=True) for task in (train, take)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
            assert not thread.is_alive()
        assert paper.told == [("ia", 0, True)]

    def test_those_that_wait_are_sorted(self) -> None:
        """By generation, then by content; before whatever comes next."""
        paper = Journal()
        builder = make_builder(paper)
        for name, generation in ((b"c", 0), (b"a", 1), (b"b", 0)):
            branch = builder.branch(lambda: None)
            branch.generation = generation
            builder.add(0, name * 16)
            builder.end_step()
            builder.release()
            builder.place_later(branch)
        assert paper.told == []
        builder.add(0, b"z" * 16)
        builder.finish()
        assert paper.told == [("b", 0, True), ("c", 1, True), ("a", 2, True), ("z", 3, True)]

    def test_what_waits_at_the_end_is_written(self) -> None:
        """Also if nothing comes next."""
        paper = Journal()
        builder = make_builder(paper)
        branch = builder.branch(lambda: None)
        builder.add(0, b"a" * 16)
        builder.release()
        builder.place_later(branch)
        builder.finish()
        assert paper.told == [("a", 0, True)]

    def test_one_within_another(self) -> None:
        """A thread that trains may wait for one of its own."""
        paper = Journal()
        builder = make_builder(paper)
        outer = builder.branch(lambda: None)
        builder.add(0, b"o" * 16)
        inner = builder.branch(lambda: None)
        builder.add(0, b"i" * 16)
        builder.end_step()
        with builder.within(outer):
            builder.place(inner)
            builder.add(0, b"p" * 16)
        builder.release()
        builder.place(outer)
        builder.finish()
        assert paper.told == [("o", 0, False), ("i", 0, True), ("p", 1, True)]

    def test_too_much_is_dropped_and_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Once; what others add goes on."""
        monkeypatch.setattr("reproof.recorder.frames.MAX_KEPT_BYTES", 100)
        paper, told = Journal(), []
        builder = make_builder(paper)
        branch = builder.branch(lambda: told.append("too much"))
        for _ in range(9):
            builder.add(0, b"a" * 16)
            builder.end_step()
        builder.release()
        builder.place(branch)
        builder.add(0, b"z" * 16)
        builder.finish()
        assert (paper.told, told) == ([("z", 0, True)], ["too much"])


def front(builder: FrameBuilder, digest: bytes) -> None:
    """Add an event at the front of the step."""
    with builder.at_front():
        builder.add(0, digest)

"""Events are gathered into frames: a step is written when it ends, and never grows without bound."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

import pytest

from reproof.entropy.handled import mark
from reproof.recorder.frames import FrameBuilder
from reproof.schema import Event
from reproof.trace import format as fmt

if TYPE_CHECKING:
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

"""What unit tests of the recorder share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reproof.schema import NO_DIGEST, Event

if TYPE_CHECKING:
    from collections.abc import Callable


class CollectedFrames:
    """Stands in for a `FrameBuilder`: keeps the events that it is given, and writes nothing.

    Attributes:
        digests: The events in their order, each with its digest.
    """

    def __init__(self) -> None:
        """Hold nothing."""
        self.digests: list[tuple[Event, bytes]] = []
        self._events: list[Event] = []

    def number_event(self, event: Event) -> int:
        """Return the number under which `add` takes digests of this event."""
        self._events.append(event)
        return len(self._events) - 1

    def add(self, event_id: int, digest: bytes, values: tuple[tuple[str, str, bytes], ...] = ()) -> None:
        """Keep an event."""
        self.digests.append((self._events[event_id], digest))

    def skip(self, event: Event) -> None:
        """Keep an event that has no digest."""
        self.digests.append((event, NO_DIGEST))


@pytest.fixture(scope="session")
def collect_frames() -> Callable[[], CollectedFrames]:
    """Return what makes frames that can be looked at without a trace."""
    return CollectedFrames

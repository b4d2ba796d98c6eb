"""The names file: events and layouts, one JSON object per line, each numbered in the order in which it was written."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from reproof.schema import STAGES, Event, Layout
from reproof.trace import format as fmt
from reproof.trace.fields import Fields
from reproof.trace.files import damaged, read_file

if TYPE_CHECKING:
    from pathlib import Path

DETAILS: Final = ("order", "content")
MAX_TENSORS: Final = 2**32 - 1

MAX_EXPANSION: Final = 1024
"""How many times longer than the file its layouts may be when they are written out, which is what is hashed.

With a long name that is repeated, that would grow with the square of the file.
"""

SPARE_BYTES: Final = 1 << 24
"""What small files may take beyond that."""


def read_names(path: Path) -> tuple[list[Event], list[Layout]]:
    """Read events and layouts; an unfinished last line is what a killed process leaves and is ignored.

    Raises TraceError if the file is missing, or a line is not what the format demands.
    """
    content = read_file(path)
    reader = NamesReader(MAX_EXPANSION * len(content) + SPARE_BYTES)
    for number, line in enumerate(content.split(b"\n")[:-1], start=1):
        try:
            reader.take(Fields(json.loads(line.decode("utf-8"))))
        except TooLargeError:
            raise damaged(path, f"the layouts up to line {number} name more than their file can tell of") from None
        except (ValueError, RecursionError):
            raise damaged(path, f"line {number} is not an event or a layout") from None
    return reader.events, reader.layouts


class TooLargeError(Exception):
    """Layouts that take more time to read than the size of their file explains."""


class NamesReader:
    """Takes the lines of a names file one by one.

    Attributes:
        events: The events so far.
        layouts: The layouts so far.
    """

    def __init__(self, num_bytes: int) -> None:
        """Begin with nothing; the layouts may be written out in so many bytes."""
        self.events: list[Event] = []
        self.layouts: list[Layout] = []
        self._spelled: list[bytes] = []
        self._num_bytes_left = num_bytes

    def take(self, fields: Fields) -> None:
        """Take one line.

        Raises ValueError if it is neither an event nor a layout and TooLargeError if the layouts written out are too
        long.
        """
        if "layout" in fields:
            self._take_layout(fields)
        else:
            event = _parse_event(fields, len(self.events))
            self.events.append(event)
            self._spelled.append(fmt.spell_event(event))

    def _take_layout(self, fields: Fields) -> None:
        number, num_events = len(self.layouts), len(self.events)
        fields.number("layout", number, number)
        positions = fields.take("events", list)
        if not all(type(position) is int and 0 <= position < num_events for position in positions):
            raise fields.wrong("events")
        spelled = [self._spelled[position] for position in positions]
        self._num_bytes_left -= sum(map(len, spelled))
        if self._num_bytes_left < 0:
            raise TooLargeError
        self.layouts.append(fmt.make_layout(tuple(self.events[position] for position in positions), spelled))


def _parse_event(fields: Fields, number: int) -> Event:
    fields.number("event", number, number)
    return Event(
        stage=fields.choice("stage", STAGES),
        name=fields.text("name"),
        detail=fields.choice("detail", DETAILS) if "detail" in fields else None,
        algorithm=fields.text("algorithm"),
        skipped=fields.text("skipped") if "skipped" in fields else None,
        num_tensors=fields.number("tensors", 1, MAX_TENSORS) if "tensors" in fields else 0,
    )

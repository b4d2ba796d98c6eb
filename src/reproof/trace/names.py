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


def read_names(path: Path) -> tuple[list[Event], list[Layout]]:
    """Read events and layouts; an unfinished last line is what a killed process leaves and is ignored.

    Raises:
        TraceError: If the file is missing, or a line is not what the format demands.
    """
    events: list[Event] = []
    layouts: list[Layout] = []
    lines = read_file(path).split(b"\n")
    for number, line in enumerate(lines[:-1], start=1):
        try:
            fields = Fields(json.loads(line.decode("utf-8")))
            if "layout" in fields:
                layouts.append(_parse_layout(fields, len(layouts), events))
            else:
                events.append(_parse_event(fields, len(events)))
        except (ValueError, RecursionError):
            raise damaged(path, f"line {number} is not an event or a layout") from None
    return events, layouts


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


def _parse_layout(fields: Fields, number: int, events: list[Event]) -> Layout:
    fields.number("layout", number, number)
    positions = fields.take("events", list)
    if not all(type(position) is int and 0 <= position < len(events) for position in positions):
        raise fields.wrong("events")
    return fmt.make_layout(tuple(events[position] for position in positions))

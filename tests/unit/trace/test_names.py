"""The names file: what it takes to read is bounded by its size."""

from __future__ import annotations

import json
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from reproof.errors import TraceError
from reproof.trace import format as fmt
from reproof.trace.names import read_names

if TYPE_CHECKING:
    from pathlib import Path


def write_names(path: Path, name: str, num_times: int) -> Path:
    """Write one event, and a layout that names it so many times."""
    event = {"event": 0, "stage": "batch", "name": name, "algorithm": "xxh3_128"}
    layout = {"layout": 0, "events": [0] * num_times}
    path.write_text("".join(json.dumps(line) + "\n" for line in (event, layout)))
    return path


def test_a_repeated_event_takes_no_memory_of_its_own(tmp_path: Path) -> None:
    """The digest of a layout is that of a text which is never whole in memory."""
    path = write_names(tmp_path / "rank0.names", "n" * 1000, 10_000)
    tracemalloc.start()
    try:
        (event,), (layout,) = read_names(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert layout == fmt.make_layout((event,) * 10_000)
    assert peak < 40 * path.stat().st_size


def test_layouts_that_their_file_does_not_explain_are_refused(tmp_path: Path) -> None:
    """A long name that is repeated would take time that grows with the square of the file."""
    path = write_names(tmp_path / "rank0.names", "n" * 100_000, 40_000)
    with pytest.raises(TraceError, match=r"the layouts up to line 2 name more than their file can tell of"):
        read_names(path)

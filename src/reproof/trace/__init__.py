"""The file that a recorded run leaves: format, writer, reader, and views of it.

`docs/trace-format.md` is the normative description. Nothing here imports numpy or PyTorch to read a trace.
"""

from __future__ import annotations

from reproof.trace.rank import RankTrace
from reproof.trace.reader import Trace, count_recorded_steps, find_newest_traces, open_trace
from reproof.trace.writer import RankWriter, TraceWriter

__all__ = [
    "RankTrace",
    "RankWriter",
    "Trace",
    "TraceWriter",
    "count_recorded_steps",
    "find_newest_traces",
    "open_trace",
]

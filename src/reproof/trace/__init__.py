"""The file that a recorded run leaves: format, writer, reader, and views of it.

- `format`: the bytes: names of files, headers, records
- `header`, `names`, `rank`, `reader`: read `run.json`, events and layouts, one process, the whole
- `writer`, `appending`: append frames so that complete steps survive whatever happens to the process
- `op_format`, `op_reader`, `op_writer`: the same for single operations
- `probes`: what experiments within a run have found
- `files`, `fields`: open files, and take values out of JSON that may have any form
- `views`: summary, curves, one step, salvage, export

`docs/trace-format.md` is the normative description. Nothing here imports numpy or PyTorch to read a trace.
"""

from __future__ import annotations

from reproof.trace.rank import RankTrace
from reproof.trace.reader import Trace, count_recorded_steps, find_newest_traces, list_processes, open_trace
from reproof.trace.writer import RankWriter, TraceWriter

__all__ = [
    "RankTrace",
    "RankWriter",
    "Trace",
    "TraceWriter",
    "count_recorded_steps",
    "find_newest_traces",
    "list_processes",
    "open_trace",
]

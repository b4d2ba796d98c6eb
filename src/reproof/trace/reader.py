"""Open a trace: its header and what each of its processes recorded.

Left out: what two traces have in common (`reproof.comparison`).
"""

from __future__ import annotations

import itertools
import os
import re
import struct
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reproof.errors import TraceError
from reproof.schema import PROCESSES, Origin
from reproof.schema.telling import plural
from reproof.trace import format as fmt
from reproof.trace.files import damaged, list_folder
from reproof.trace.header import created_at, read_header
from reproof.trace.rank import RankTrace, count_filled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reproof.schema import RunHeader

CALL: Final = re.compile(r"(.*\.pool[0-9]+)\..*\.call[0-9]+", re.ASCII)
"""Label of a call within a task of a pool, and what precedes the name of the task."""
EXPERIMENT: Final = ".experiment.json"
"""End of the name of a file beside a trace which says that the run is an experiment."""

RECORDED: Final = "name a folder that `reproof run -o` made"


class Trace:
    """A recorded run: its header and what each of its processes recorded.

    Attributes:
        header: What is known of the run once.
        ranks: What each process recorded that was started with the run.
        children: The traces of processes that others have started, by label, in the order of their start. They have no
            children of their own: all of a run are here.
        lost: Why the trace of such a process cannot be read, by label.
    """

    def __init__(self, folder: Path, header: RunHeader, ranks: dict[int, RankTrace]) -> None:
        """Hold the parts; use `open_trace`."""
        self.folder = folder
        self.header = header
        self.ranks = ranks
        self.children: dict[str, Trace] = {}
        self.lost: dict[str, str] = {}

    def of_process(self, label: str | None) -> Trace | None:
        """Return the trace of one process without those that it has started, or None if it has left none.

        None is for those that were started with the run.
        """
        return Trace(self.folder, self.header, self.ranks) if label is None else self.children.get(label)

    @property
    def num_steps(self) -> int:
        """Steps of the process that took the most."""
        return max((rank.num_steps for rank in self.ranks.values()), default=0)

    def explain_incomplete(self) -> str | None:
        """Return why the trace is not the record of a whole run, or None if it is."""
        header = self.header
        if header.status == "running":
            return "the run was killed or is still running"
        if header.status != "complete":
            return header.ended or header.status
        present = range(min(header.num_ranks, len(self.ranks) + 1))
        missing = next((rank for rank in present if rank not in self.ranks), None)
        return self._explain_cut() if missing is None else f"rank {missing} left no trace"

    def verify(self) -> None:
        """Check every byte of what all processes recorded, and that nothing is missing at its end.

        Raises TraceError naming the first thing that is damaged.
        """
        for rank in self.ranks.values():
            rank.verify()
        for child in self.children.values():
            child.verify()
        if self.header.is_complete and (cut := self._explain_cut()) is not None:
            raise damaged(self.folder, cut)

    def _explain_cut(self) -> str | None:
        for number, rank in self.ranks.items():
            if rank.is_cut:
                last = rank.record(rank.num_frames - 1).step if rank.num_frames else None
                where = "before the end of the first step" if last is None else f"after step {last}"
                return f"the files of rank {number} were cut {where}"
        return None


def open_trace(path: str | Path) -> Trace:
    """Open a trace.

    Nothing is raised for a process that another one has started: its trace is then among the lost. Raises TraceError if
    there is no trace, it is foreign or damaged, or its format is newer than this release reads. Nothing is raised for a
    process that another one has started: its trace is then among the lost.
    """
    trace = _open_one(Path(path))
    labels = list_processes(trace.folder)
    for label, name in zip(labels, name_calls(labels), strict=True):
        try:
            child = _open_one(trace.folder / PROCESSES / label)
        except TraceError as error:  # it was killed before it could record, or the trace was damaged since
            trace.lost[name] = error.problem
            continue
        origin = replace(child.header.origin or Origin(label=label), label=name)
        child.header = replace(child.header, origin=origin)
        trace.children[name] = child
    return trace


def name_calls(labels: list[str]) -> list[str]:
    """Return the labels of processes with the calls of a pool numbered through.

    How many calls joblib puts into one task depends on how long they take, but they are in order: the first of the
    second task is the one after the last of the first. The labels are in the order of their start.
    """
    numbers: defaultdict[str, Iterator[int]] = defaultdict(itertools.count)
    names = []
    for label in labels:
        match = CALL.fullmatch(label)
        names.append(label if match is None else f"{match[1]}.call{next(numbers[match[1]])}")
    return names


def list_processes(folder: Path) -> list[str]:
    """Return the labels of the processes that others have started and that have a folder within a trace."""
    try:
        names = [path.name for path in (folder / PROCESSES).iterdir()]
    except OSError:  # most traces have none
        return []
    return sorted((name for name in names if fmt.LABEL.fullmatch(name)), key=fmt.order_of_label)


def _open_one(folder: Path) -> Trace:
    """Open the trace of a run or of one of its processes, without the processes that it has started."""
    names = list_folder(folder, "trace", RECORDED)
    if fmt.RUN_FILE not in names:
        raise TraceError(f"{folder} is not a trace: it has no {fmt.RUN_FILE}", RECORDED, slug="trace-foreign")
    header = read_header(folder)
    ranks = sorted(rank for name in names if name.endswith(".frames") and (rank := fmt.rank_of(name)) is not None)
    if not ranks:
        raise TraceError(f"{folder} holds no recorded process", "record the run again", slug="trace-empty")
    if ranks[-1] >= header.num_ranks:
        had = plural(header.num_ranks, "process", "processes")
        msg = f"{folder} holds files of rank {ranks[-1]}, and the run had {had}"
        raise TraceError(msg, "record the run again", slug="trace-damaged")
    run_id = bytes.fromhex(header.run_id)
    return Trace(folder, header, {rank: RankTrace(folder, rank, run_id if rank == 0 else None) for rank in ranks})


def find_newest_traces(folder: str | Path, count: int = 2) -> list[Path]:
    """Return the newest traces in a folder, oldest of them first; what counts is when their recording began.

    Experiments that a check has made there are left out: they are no runs of the training as it is. Raises TraceError
    if the folder is missing or holds fewer.
    """
    parent = Path(folder)
    names = list_folder(parent, "folder of runs", "name the folder that holds the runs")
    experiments = {name.removesuffix(EXPERIMENT) for name in names if name.endswith(EXPERIMENT)}
    runs = [parent / name for name in names if name not in experiments]
    dated = [(created_at(read_header(p)), p.name, p) for p in runs if os.access(p / fmt.RUN_FILE, os.F_OK)]
    if len(dated) < count:
        msg = f"{parent} holds {len(dated)} of the {count} runs to compare"
        raise TraceError(msg, "record another with `reproof run -o`", slug="too-few-traces")
    return [path for _, _, path in sorted(dated)[-count:]]


def count_recorded_steps(folder: Path) -> int:
    """Return how many steps a trace holds that is being written, as far as its first process goes; 0 without one."""
    try:
        with (folder / fmt.file_name(0, "frames")).open("rb", buffering=0) as file:

            def read(index: int) -> bytes:
                file.seek(fmt.HEADER_BYTES + index * fmt.FRAME_BYTES)
                return file.read(fmt.FRAME_BYTES)

            num_records = max(0, os.fstat(file.fileno()).st_size - fmt.HEADER_BYTES) // fmt.FRAME_BYTES
            num_frames = count_filled(num_records, read)
            if num_frames == 0:
                return 0
            record = fmt.FrameRecord._make(fmt.FRAME.unpack(read(num_frames - 1)))
    except (OSError, struct.error):
        return 0
    return record.step + (1 if record.flags == fmt.ENDS_STEP else 0)

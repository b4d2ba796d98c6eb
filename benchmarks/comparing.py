"""How long comparing takes: two traces of a million steps that part at step 777,777.

Prints a table of medians: the first difference in this process, and `reproof compare` and `reproof --help` as whole
processes, measured in turn with `python -c pass`, which nothing in Python can be faster than. The bounds are those of
the project; the ratios hold on other machines too.

    python benchmarks/comparing.py [--steps 1000000] [--repeats 15]

The traces are written to a temporary folder (about 170 MB for one event a step, 330 MB for three), with the functions
of the format rather than the writer, which is made for one step at a time.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from reproof.comparison.alignment import find_first_difference
from reproof.schema import DIGEST_BYTES, Event, Layout, RunHeader
from reproof.trace import TraceWriter, open_trace
from reproof.trace import format as fmt

if TYPE_CHECKING:
    from collections.abc import Iterator

PART = 0.777_777
NUM_VERIFIED_STEPS = 12_000
"""About the largest traces that are verified unasked."""

CHUNK_STEPS = 10_000

EVENTS = (
    Event(stage="batch", name="loader0(60000)[0]", detail="content", num_tensors=1),
    Event(stage="batch", name="loader0(60000)[1]", detail="content", num_tensors=1),
    Event(stage="batch", name="loader0(60000) indices", detail="order"),
)


class Taken(NamedTuple):
    """What a process took: on the clock, and of the processor, which other processes disturb less."""

    seconds: float
    cpu_seconds: float


class Row(NamedTuple):
    """One line of the table."""

    what: str
    seconds: list[float]
    bound_seconds: float
    processes: tuple[list[Taken], list[Taken]] | None = None
    """The same processes, and as many of `python -c pass` in turn with them."""


class FastWriter:
    """Appends steps of one layout by the ten thousand."""

    def __init__(self, folder: Path, events: tuple[Event, ...]) -> None:
        """Create the trace with its names and no frame."""
        header = RunHeader(
            run_id="5" * 32,
            status="complete",
            level="batches",
            command=("train.py",),
            num_batches=None,
            statistics=False,
            created="2026-01-02T03:04:05+00:00",
        )
        trace = TraceWriter(folder, header)
        ids = [trace.writer.event_id(event) for event in events]
        trace.close()
        with (folder / fmt.file_name(0, "names")).open("a") as file:
            file.write(json.dumps({"layout": 0, "events": ids}) + "\n")
        self.folder = folder
        self.layout: Layout = fmt.make_layout(events)
        self.chain = fmt.FIRST_CHAIN
        self.step = 0

    def append(self, num_steps: int, seed: str) -> None:
        """Append steps with random digests."""
        width = DIGEST_BYTES * len(self.layout.events)
        digests = random.Random(seed).randbytes(width * num_steps)  # noqa: S311  # any bytes will do
        records = [self._record(digests[start : start + width]) for start in range(0, len(digests), width)]
        for part, data in (("digests", digests), ("frames", b"".join(records))):
            with (self.folder / fmt.file_name(0, part)).open("ab") as file:
                file.write(data)

    def _record(self, digests: bytes) -> bytes:
        step = self.step
        self.step = end = step + 1
        self.chain = fmt.next_chain(self.chain, self.layout, step, fmt.ENDS_STEP, digests)
        num_digests, num_tensors = end * len(self.layout.events), end * self.layout.num_tensors
        body = fmt.FRAME_BODY.pack(num_digests, num_tensors, 0, step, 0, fmt.ENDS_STEP, self.chain, step & 0xFFFFFFFF)
        return body + fmt.CRC.pack(zlib.crc32(digests, zlib.crc32(body)))

    def fork(self, folder: Path) -> FastWriter:
        """Return a writer of a copy of the trace."""
        shutil.copytree(self.folder, folder)
        other = object.__new__(FastWriter)
        other.__dict__ = {**self.__dict__, "folder": folder}
        return other


def make_traces(folder: Path, num_steps: int, num_events: int) -> tuple[Path, Path]:
    """Write two traces whose digests are equal up to a step and all differ from there on."""
    part = int(num_steps * PART)
    baseline = FastWriter(folder / "a", EVENTS[:num_events])
    for start, count in chunks(0, part):
        baseline.append(count, seed=f"{start}")
    candidate = baseline.fork(folder / "b")
    for start, count in chunks(part, num_steps):
        baseline.append(count, seed=f"{start}")
        candidate.append(count, seed=f"candidate {start}")
    return baseline.folder, candidate.folder


def chunks(start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Yield start and length of parts of a range."""
    for position in range(start, stop, CHUNK_STEPS):
        yield position, min(CHUNK_STEPS, stop - position)


def time_first_difference(folders: tuple[Path, Path], num_steps: int, repeats: int) -> list[float]:
    """Return how long it takes to open two traces and find where they part."""
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        a, b = (open_trace(folder).ranks[0] for folder in folders)
        found = find_first_difference(a, b)
        taken.append(time.perf_counter() - start)
        check(found == int(num_steps * PART), f"found {found}")
    return taken


def time_processes(commands: dict[str, list[str]], repeats: int) -> dict[str, list[Taken]]:
    """Return what whole processes take, one after the other in turn."""
    taken: dict[str, list[Taken]] = {name: [] for name in commands}
    for _ in range(repeats):
        for name, command in commands.items():
            before, start = cpu_of_children(), time.perf_counter()
            done = subprocess.run(command, capture_output=True, check=False)
            taken[name].append(Taken(time.perf_counter() - start, cpu_of_children() - before))
            check(done.returncode == (name not in {"bare", "help"}), done.stderr.decode())
    return taken


def cpu_of_children() -> float:
    """Return the processor time of all processes that were started and have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def check(is_right: bool, problem: str) -> None:  # noqa: FBT001  # reads as a sentence
    """Stop if what was timed did not do its work."""
    if not is_right:
        sys.exit(f"wrong: {problem}")


def measure(num_steps: int, repeats: int, folder: Path) -> list[Row]:
    """Make the traces and take all times."""
    commands = {"bare": [sys.executable, "-c", "pass"], "help": [sys.executable, "-m", "reproof", "--help"]}
    verified = make_traces(folder / "verified", NUM_VERIFIED_STEPS, 1)
    commands["verified"] = [sys.executable, "-m", "reproof", "compare", *map(str, verified)]
    rows = []
    for name, num_events in (("1 event", 1), ("3 events", 3)):
        folders = make_traces(folder / name, num_steps, num_events)
        commands[name] = [sys.executable, "-m", "reproof", "compare", *map(str, folders)]
        taken = time_first_difference(folders, num_steps, 10 * repeats)
        rows.append(Row(f"first difference in process, {name} a step", taken, 0.002))
    processes = time_processes(commands, repeats + 1)
    times = {name: taken[1:] for name, taken in processes.items()}  # the first round warms the caches
    bounds = {"1 event": 0.15, "3 events": 0.15, "verified": 0.15, "help": 0.12}
    told = {"help": "reproof --help", "verified": f"reproof compare, {NUM_VERIFIED_STEPS:,} steps, verified"}
    for name, bound in bounds.items():
        what = told.get(name, f"reproof compare, {name} a step")
        rows.append(Row(what, [one.seconds for one in times[name]], bound, (times[name], times["bare"])))
    return rows


def draw(rows: list[Row], num_steps: int, repeats: int) -> None:
    """Print the table."""
    python = sys.version.split()[0]
    print(f"{num_steps:,} steps that part at {int(num_steps * PART):,}; medians of {repeats}; Python {python}")
    print(f"{'':<42} {'median':>9} {'bound':>8} {'':>4} {'bare':>8} {'ratio':>6} {'cpu':>8} {'bare cpu':>9}")
    for row in rows:
        median = statistics.median(row.seconds)
        state = "ok" if median <= row.bound_seconds else "OVER"
        line = f"{row.what:<42} {1e3 * median:>6.2f} ms {1e3 * row.bound_seconds:>5.0f} ms {state:>4}"
        print(line if row.processes is None else line + draw_processes(*row.processes))


def draw_processes(taken: list[Taken], bare: list[Taken]) -> str:
    """Return the columns that hold processes against `python -c pass`."""
    ratio = statistics.median(x.seconds / y.seconds for x, y in zip(taken, bare, strict=True))
    bare_seconds = statistics.median(one.seconds for one in bare)
    cpu, bare_cpu = (statistics.median(one.cpu_seconds for one in each) for each in (taken, bare))
    return f" {1e3 * bare_seconds:>5.1f} ms {ratio:>6.1f} {1e3 * cpu:>5.1f} ms {1e3 * bare_cpu:>6.1f} ms"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure how long comparing takes.")
    parser.add_argument("--steps", type=int, default=1_000_000, help="steps of each trace")
    parser.add_argument("--repeats", type=int, default=15, help="how often each process is timed")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="reproof-comparing-") as name:
        rows = measure(arguments.steps, arguments.repeats, Path(name))
    draw(rows, arguments.steps, arguments.repeats)


if __name__ == "__main__":
    main()

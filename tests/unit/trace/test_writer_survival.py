"""A process that is killed, or whose disk is full, leaves every step that it had finished."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from reproof.trace import open_trace

if TYPE_CHECKING:
    from pathlib import Path

WRITER = """
import os, resource, sys
from pathlib import Path
from reproof.errors import RecordingError
from reproof.schema import Event, RunHeader
from reproof.trace import TraceWriter
from reproof.trace import format as fmt

folder, limit = Path(sys.argv[1]), int(sys.argv[2])
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
header = RunHeader(run_id="0" * 32, status="running", level="batches", command=("train.py",), num_batches=None,
                   statistics=False, created="2026-01-02T03:04:05+00:00")
try:
    writer = TraceWriter(folder, header).writer
    step = 0
    while True:
        name = f"loader{step // 100}(10)"  # a new name and a new layout now and then
        ids = tuple(writer.event_id(Event(stage="batch", name=f"{name}[{i}]", detail="content")) for i in range(3))
        digests = step.to_bytes(16, "big") * 3
        values = fmt.VALUE.pack(0, 1, b"q", 0, 8) + step.to_bytes(8, "little")
        writer.append_frame(ids, digests, values, step, 0)
        writer.append_frame(ids[:1], digests[:16], b"", step, fmt.ENDS_STEP)
        os.write(1, f"{step}\\n".encode())
        step += 1
except RecordingError as error:
    sys.exit(f"{error.slug}: {error}")
except OSError as error:
    sys.exit(error.strerror)
"""


def check_steps(folder: Path, log: Path) -> int:
    """Check that a trace holds the steps that its writer had finished, and return how many it holds."""
    finished = len(log.read_bytes().splitlines())
    trace = open_trace(folder)
    trace.verify()
    rank = trace.ranks[0]
    assert len(rank) == 2 * rank.num_steps, "a step is visible whole or not at all"
    assert finished <= rank.num_steps <= finished + 1
    for frame in rank.frames():
        assert frame.step == frame.number // 2
        assert frame.digest(0) == frame.step.to_bytes(16, "big")
        assert frame.layout.events[0].name == f"loader{frame.step // 100}(10)[0]"
        assert frame.ends_step or rank.numbers(frame.number)[0, "exact"].values == (frame.step,)
    return rank.num_steps


@pytest.mark.parametrize("delay_seconds", [0.0, 0.01, 0.03, 0.1, 0.3, 0.5])
def test_a_killed_process_leaves_its_finished_steps(tmp_path: Path, delay_seconds: float) -> None:
    """After SIGKILL at any moment the trace reads up to the last step that had ended, and every byte of it is right."""
    log = tmp_path / "log"
    with log.open("wb") as stdout:
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path / "run"), "0"], stdout=stdout)
        while not log.stat().st_size and process.poll() is None:
            time.sleep(0.01)
        time.sleep(delay_seconds)
        process.kill()
        assert process.wait() == -9
    assert check_steps(tmp_path / "run", log) > 0
    assert open_trace(tmp_path / "run").explain_incomplete() == "the run was killed or is still running"


@pytest.mark.parametrize("limit", [1000, 1001, 4096, 7777, 20_000, 150_000, 1_000_000])
def test_a_full_disk_leaves_the_steps_before(tmp_path: Path, limit: int) -> None:
    """When no byte more can be written the writer raises, and what it had written is a valid trace."""
    log = tmp_path / "log"
    with log.open("wb") as stdout:
        command = [sys.executable, "-c", WRITER, str(tmp_path / "run"), str(limit)]
        process = subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False)
    assert (process.returncode, process.stderr) == (1, "File too large\n")
    assert check_steps(tmp_path / "run", log) > 0


@pytest.mark.parametrize("limit", [1, 63, 200])
def test_a_disk_that_is_full_from_the_start_is_one_line(tmp_path: Path, limit: int) -> None:
    """Nothing can be recorded: the error names the place and the remedy, and no half-written header is left."""
    command = [sys.executable, "-c", WRITER, str(tmp_path / "run"), str(limit)]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert process.returncode == 1
    assert process.stderr.startswith(f"cannot-write: cannot write {tmp_path / 'run'}")
    assert process.stderr.endswith("File too large: free some space or choose another folder\n")
    assert process.stderr.count("\n") == 1
    assert not list((tmp_path / "run").iterdir())

"""The zeros that a killed run leaves after its end are no frames, and neither is a record that it was writing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reproof.comparison import compare
from reproof.schema import Event
from reproof.trace import count_recorded_steps, open_trace
from reproof.trace import format as fmt
from reproof.trace.views.salvage import salvage_trace

if TYPE_CHECKING:
    from pathlib import Path

DATA = Event(stage="batch", name="loader0(10)[0]", detail="content", num_tensors=1)
NUM_STEPS = 5


@pytest.fixture
def killed(tmp_path: Path, trace_maker: Any) -> Path:
    """Return a trace of five steps whose files have room after their end."""
    maker = trace_maker(tmp_path / "run", status="running")
    for step in range(NUM_STEPS):
        maker.add(step, [(DATA, f"d{step}", [("exact", "q", (step,))])])
    maker.close()
    for part in ("digests", "values", "frames"):
        with (tmp_path / "run" / f"rank0.{part}").open("ab") as file:
            file.write(bytes(4096))
    return tmp_path / "run"


def steps_of(folder: Path) -> list[int]:
    """Return the steps of a trace, all of which must be sound."""
    trace = open_trace(folder)
    trace.verify()
    return [frame.step for frame in trace.ranks[0].frames()]


def test_room_holds_no_frames(killed: Path) -> None:
    """All that was recorded is there, and no more; nothing is damaged."""
    assert steps_of(killed) == list(range(NUM_STEPS))
    assert open_trace(killed).explain_incomplete() == "the run was killed or is still running"
    salvaged = salvage_trace(killed)
    assert (salvaged.damage, salvaged.verify()) == ((), None)
    assert count_recorded_steps(killed) == NUM_STEPS


def test_room_without_any_frame_is_a_trace_of_no_step(tmp_path: Path, trace_maker: Any) -> None:
    """A run that was killed before the end of its first step."""
    trace_maker(tmp_path / "run", status="running").close()
    with (tmp_path / "run" / "rank0.frames").open("ab") as file:
        file.write(bytes(4096))
    assert steps_of(tmp_path / "run") == []
    assert count_recorded_steps(tmp_path / "run") == 0


@pytest.mark.parametrize("keeps_start", [True, False])
def test_a_record_that_was_being_written_is_left_out(killed: Path, *, keeps_start: bool) -> None:
    """However far a copy of 64 bytes had come, from its start or its end: the steps before are read."""
    path = killed / "rank0.frames"
    data = path.read_bytes()
    start = fmt.HEADER_BYTES + (NUM_STEPS - 1) * fmt.FRAME_BYTES
    record = data[start : start + fmt.FRAME_BYTES]
    for num_kept in range(fmt.FRAME_BYTES):
        kept = record[:num_kept] if keeps_start else record[fmt.FRAME_BYTES - num_kept :]
        torn = kept.ljust(fmt.FRAME_BYTES, b"\0") if keeps_start else kept.rjust(fmt.FRAME_BYTES, b"\0")
        path.write_bytes(data[:start] + torn + data[start + fmt.FRAME_BYTES :])
        expected = NUM_STEPS if torn == record else NUM_STEPS - 1
        assert steps_of(killed) == list(range(expected))
        assert salvage_trace(killed).damage == ()


def test_a_damaged_record_before_the_last_is_damage(killed: Path) -> None:
    """Only the last record can have been under way."""
    path = killed / "rank0.frames"
    data = bytearray(path.read_bytes())
    data[fmt.HEADER_BYTES + (NUM_STEPS - 2) * fmt.FRAME_BYTES + 60] ^= 1
    path.write_bytes(data)
    assert salvage_trace(killed).verify() == f"{path} is damaged: frame {NUM_STEPS - 2} (step 3) fails its checksum"


def test_zeros_in_a_whole_trace_are_noticed(small: Path) -> None:
    """A run that ended has given its room back: with zeros at the end it is not taken for whole."""
    with (small / "rank0.frames").open("ab") as file:
        file.write(bytes(4096))
    assert "were cut" in str(open_trace(small).explain_incomplete())
    assert compare(small, small).verdict == "inconclusive"

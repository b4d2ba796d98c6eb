"""A damaged trace is opened as far as it can be, and what is missing is named."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

import pytest

from reproof.errors import TraceError, UsageError
from reproof.schema import Event
from reproof.trace import format as fmt
from reproof.trace.views.salvage import salvage_trace
from reproof.trace.views.steps import read_steps
from reproof.trace.views.summary import summarise

if TYPE_CHECKING:
    from pathlib import Path

LOSS = Event(stage="loss", name="loss", num_tensors=1)
PARTS = ("names", "digests", "values", "frames")


@pytest.fixture
def long(tmp_path: Path, trace_maker: Any) -> Path:
    """Return a trace of 40 steps with one loss each."""
    maker = trace_maker(tmp_path / "long")
    for step in range(40):
        maker.add(step, [(LOSS, str(step), [("exact", "d", (float(step),))])])
    maker.close()
    return tmp_path / "long"


def overwrite(path: Path, start: int, data: bytes) -> None:
    """Change bytes in the middle of a file."""
    with path.open("r+b") as file:
        file.seek(start)
        file.write(data)


class TestSoundTraces:
    """Nothing is wrong."""

    def test_a_whole_trace_has_no_damage(self, small: Path) -> None:
        """All frames are there, and every byte is found to be right."""
        trace = salvage_trace(small)
        assert (trace.damage, trace.explain_incomplete(), trace.verify()) == ((), None, None)
        assert trace.ranks[0].num_frames == 5

    def test_a_killed_run_is_incomplete_and_not_damaged(self, tmp_path: Path, trace_maker: Any) -> None:
        """What its last step left unfinished is no damage."""
        maker = trace_maker(tmp_path / "run", status="running").add(0, [(LOSS, "a")]).add(1, [(LOSS, "b")], 0)
        maker.close()
        trace = salvage_trace(tmp_path / "run")
        assert (trace.damage, trace.verify()) == ((), None)
        assert trace.ranks[0].num_frames == 1


class TestDamagedEnds:
    """What a failing machine does to the last seconds of a run."""

    @pytest.mark.parametrize("num_lost", [1, 2, 3, 7, 39, 40])
    @pytest.mark.parametrize("part", ["digests", "values"])
    def test_the_frames_before_the_damage_are_shown(self, long: Path, part: str, num_lost: int) -> None:
        """Zeros at the end of a file cost the frames that they belong to, and no other."""
        size = {"digests": 16, "values": fmt.VALUE.size + 8}[part]
        path = long / f"rank0.{part}"
        num_bytes = size * num_lost
        overwrite(path, path.stat().st_size - num_bytes, b"\xff" * num_bytes)
        trace = salvage_trace(long)
        assert trace.ranks[0].num_frames == 40 - num_lost
        assert trace.damage == (
            f"{long / 'rank0.frames'} is damaged: frame 39 (step 39) fails its checksum",
            f"of the 40 frames of rank 0 only the first {40 - num_lost} can be read",
        )
        assert trace.explain_incomplete() == "a part of it cannot be read"
        assert trace.verify() == trace.damage[0]
        assert summarise(trace).num_steps == 40 - num_lost

    def test_damage_in_the_middle_is_found_by_verifying(self, long: Path) -> None:
        """Opening does not read it; verifying does."""
        overwrite(long / "rank0.digests", 64 + 16 * 20, b"\xff")
        trace = salvage_trace(long)
        assert trace.damage == ()
        assert "frame 20" in (trace.verify() or "")


class TestMissingFiles:
    """Parts of the trace are not there."""

    def test_without_the_header_the_rest_is_shown(self, long: Path) -> None:
        """How the run ended is then not known."""
        (long / fmt.RUN_FILE).unlink()
        trace = salvage_trace(long)
        assert (trace.header, trace.ranks[0].num_frames) == (None, 40)
        assert trace.damage == (f"{long / 'run.json'} is missing",)
        assert trace.explain_incomplete() == "how the run ended is unknown: run.json cannot be read"
        assert trace.verify() == trace.damage[0]

    @pytest.mark.parametrize("part", ["names", "digests", "values"])
    def test_without_a_file_of_a_process_the_header_is_shown(self, long: Path, part: str) -> None:
        """The file is named."""
        (long / f"rank0.{part}").unlink()
        trace = salvage_trace(long)
        assert (trace.header is not None, trace.ranks) == (True, {})
        assert trace.damage == (f"{long / f'rank0.{part}'} is missing",)

    def test_a_header_alone_is_shown(self, long: Path) -> None:
        """That no process recorded is said."""
        for part in PARTS:
            (long / f"rank0.{part}").unlink()
        assert salvage_trace(long).damage == (f"{long} holds no recorded process",)

    def test_files_of_another_run_are_not_mixed_in(self, long: Path, small: Path) -> None:
        """A header that does not belong to the files beside it is told."""
        (long / fmt.RUN_FILE).write_text((long / fmt.RUN_FILE).read_text().replace("0123456789", "9876543210"))
        trace = salvage_trace(long)
        assert trace.ranks == {}
        assert "of another run" in trace.damage[0]

    def test_files_of_a_process_that_the_run_did_not_have(self, long: Path, trace_maker: Any) -> None:
        """They are named and left out."""
        trace_maker(long, rank=3, num_ranks=4).add(0, [(LOSS, "a")]).close()
        trace = salvage_trace(long)
        assert list(trace.ranks) == [0]
        assert trace.damage == (f"{long} holds files of rank 3, which the run did not have",)

    def test_a_layout_that_is_missing_is_told(self, long: Path) -> None:
        """Its frames are not counted."""
        overwrite(long / "rank0.frames", 64 + 32, b"\x05")
        summary = summarise(salvage_trace(long))
        assert summary.damage == ("layout 5 of rank 0 is missing",)
        assert summary.num_events == 39

    def test_where_nothing_can_be_read_there_is_an_error(self, tmp_path: Path) -> None:
        """No folder, an empty folder, and one whose files are all broken."""
        (tmp_path / "empty").mkdir()
        (tmp_path / "broken").mkdir()
        (tmp_path / "broken" / "run.json").write_text("{")
        (tmp_path / "broken" / "rank0.frames").write_bytes(b"")
        for name, words in (("absent", "no trace at"), ("empty", "is not a trace"), ("broken", "cannot read")):
            with pytest.raises(TraceError, match=words):
                salvage_trace(tmp_path / name)


class TestAnyDamage:
    """Whatever byte is changed, the trace is shown in part or refused in one line."""

    @pytest.mark.parametrize("mask", [0x01, 0x80, 0xFF])
    @pytest.mark.parametrize("part", ["run.json", *(f"rank0.{part}" for part in PARTS)])
    def test_one_changed_byte(self, small: Path, part: str, mask: int) -> None:
        """Never another exception, and verifying finds every change in the recorded frames."""
        path = small / part
        content = path.read_bytes()
        with path.open("r+b", buffering=0) as file:
            for position, byte in enumerate(content):
                os.pwrite(file.fileno(), bytes([byte ^ mask]), position)
                assert is_found(small) or part == fmt.RUN_FILE, f"byte {position}"
                os.pwrite(file.fileno(), bytes([byte]), position)


def is_found(folder: Path) -> bool:
    """Look at everything in a trace and return whether its damage was found."""
    try:
        trace = salvage_trace(folder)
        summarise(trace).to_json()
        for step in range(5):
            look_at(trace.ranks.values(), step)
    except TraceError:
        return True
    return trace.verify() is not None


def look_at(ranks: Any, step: int) -> None:
    """Read a step, which may be refused."""
    with contextlib.suppress(TraceError, UsageError):
        for record in read_steps(ranks, step):
            record.to_json()

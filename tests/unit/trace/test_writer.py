"""What is written is read back, names once; nothing is overwritten without being asked to."""

from __future__ import annotations

import errno
import json
import os
import struct
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from reproof.errors import RecordingError
from reproof.schema import Event, Numbers
from reproof.trace import TraceWriter, appending, open_trace
from reproof.trace import format as fmt
from reproof.trace import writer as writer_module

if TYPE_CHECKING:
    from collections.abc import Callable

DATA = Event(stage="batch", name="loader0(10)[0]", detail="content", num_tensors=1)
LABEL = Event(stage="batch", name="loader0(10)[1]", detail="content", num_tensors=1)
PARTS = ("names", "digests", "values", "frames")


def read_lines(folder: Path) -> list[dict[str, Any]]:
    """Return the entries of the names file of rank 0."""
    return [json.loads(line) for line in (folder / "rank0.names").read_text().splitlines()]


def replace_write(patch: pytest.MonkeyPatch, write: Callable[[int, bytes], int]) -> None:
    """Let the files of a trace, and nothing else in this process, be written through another function."""
    patch.setattr(appending, "os", SimpleNamespace(**{**vars(os), "write": write}))


class TestRoundTrip:
    """What was appended comes back."""

    def test_frames_come_back_as_they_were_written(self, small: Path, small_frames: Any, trace_maker: Any) -> None:
        """Steps, ends of steps, events in order and digests are those given to the writer."""
        rank = open_trace(small).ranks[0]
        assert len(rank) == len(small_frames)
        for (step, parts, flags), frame in zip(small_frames, rank.frames(), strict=True):
            assert (frame.step, frame.ends_step) == (step, bool(flags))
            assert frame.layout.events == tuple(part[0] for part in parts)
            assert [frame.digest(i) for i in range(len(parts))] == [trace_maker.digest(part) for part in parts]

    def test_numbers_come_back_with_their_bits(self, small: Path) -> None:
        """Numbers are found by position and kind, with their type and their bits."""
        rank = open_trace(small).ranks[0]
        assert rank.numbers(0) == {
            (0, "exact"): Numbers("exact", "q", (3, 1, 2)),
            (1, "samples"): Numbers("samples", "I", (7, 8, 9)),
        }
        statistics = rank.numbers(2)[0, "statistics"].values
        assert struct.pack("<2d", *statistics) == struct.pack("<2d", 0.5, -0.0)
        assert rank.numbers(3) == {}

    def test_the_header_comes_back(self, tmp_path: Path, trace_maker: Any) -> None:
        """Each field of `run.json` is read as it was written."""
        maker = trace_maker(
            tmp_path / "run",
            status="failed",
            ended="the run raised ValueError: \ud800 ü",
            exit_code=3,
            num_batches=7,
            num_steps=9,
            statistics=True,
            problems=("batch not recorded",),
            environment={"python": {"version": "3.11"}, "cuda": None},
        )
        maker.add(0, [(DATA, "d")]).close()
        assert open_trace(tmp_path / "run").header == maker.trace.header

    def test_a_trace_without_frames_is_readable(self, tmp_path: Path, trace_maker: Any) -> None:
        """A run that recorded nothing leaves a valid trace of no step."""
        trace_maker(tmp_path / "run").close()
        rank = open_trace(tmp_path / "run").ranks[0]
        rank.verify()
        assert (len(rank), rank.num_steps, rank.num_events) == (0, 0, 0)

    def test_positions_are_found_by_step(self, small: Path) -> None:
        """A step is found with all of its frames; a step without events has none."""
        rank = open_trace(small).ranks[0]
        assert [list(rank.find_step(step)) for step in range(6)] == [[0], [1, 2], [], [3], [4], []]

    def test_events_are_counted(self, small: Path, small_frames: Any) -> None:
        """Each event is counted as often as it happened."""
        counted = open_trace(small).ranks[0].count_events()
        happened = [part[0] for _, parts, _ in small_frames for part in parts]
        assert dict(counted) == {event: happened.count(event) for event in happened}


class TestNamesAreWrittenOnce:
    """Constant structure costs a record of fixed width."""

    def test_a_thousand_equal_steps_have_one_layout(self, tmp_path: Path, trace_maker: Any) -> None:
        """Names and layout are written with the first frame and never again."""
        maker = trace_maker(tmp_path / "run")
        for step in range(1000):
            maker.add(step, [(DATA, f"d{step}"), (LABEL, f"l{step}")])
        maker.close()
        assert [min(entry) for entry in read_lines(tmp_path / "run")] == ["algorithm", "algorithm", "events"]
        assert (tmp_path / "run" / "rank0.frames").stat().st_size == fmt.HEADER_BYTES + 1000 * fmt.FRAME_BYTES

    def test_a_layout_that_comes_back_is_used_again(self, small: Path) -> None:
        """Two frames of the same events refer to the same layout."""
        rank = open_trace(small).ranks[0]
        assert [rank.record(i).layout for i in range(5)] == [0, 0, 1, 0, 2]

    def test_names_stand_before_their_first_frame(self, tmp_path: Path, trace_maker: Any) -> None:
        """After each append a reader finds all names that the frames so far need."""
        maker = trace_maker(tmp_path / "run")
        for step, event in enumerate((DATA, LABEL, DATA)):
            maker.add(step, [(event, "x")])
            open_trace(tmp_path / "run").ranks[0].verify()
        maker.close()

    def test_equal_frames_of_two_runs_have_equal_chains(self, tmp_path: Path, trace_maker: Any) -> None:
        """The chain depends on events and digests alone: not on time, run, numbers or the numbering of events."""
        first, second = trace_maker(tmp_path / "a", run_id="a" * 32), trace_maker(tmp_path / "b", run_id="b" * 32)
        second.writer.event_id(LABEL)
        first.add(0, [(DATA, "d"), (LABEL, "l")]).close()
        second.add(0, [(DATA, "d", [("samples", "I", (1,))]), (LABEL, "l")]).close()
        chains = [open_trace(tmp_path / name).ranks[0].chain(0) for name in "ab"]
        assert chains[0] == chains[1]

    @pytest.mark.parametrize(
        "other",
        [
            DATA._replace(name="loader0(10)[2]"),
            DATA._replace(stage="forward"),
            DATA._replace(detail="order"),
            DATA._replace(detail=None),
            DATA._replace(algorithm="device1"),
            DATA._replace(num_tensors=2),
        ],
    )
    def test_another_event_makes_another_chain(self, tmp_path: Path, trace_maker: Any, other: Event) -> None:
        """Whatever identifies an event is part of the chain."""
        for name, event in (("a", DATA), ("b", other)):
            trace_maker(tmp_path / name).add(0, [(event, "d")]).close()
        chains = [open_trace(tmp_path / name).ranks[0].chain(0) for name in "ab"]
        assert chains[0] != chains[1]


class TestNothingIsOverwritten:
    """A folder is used if it is new, empty, or a trace that may be replaced."""

    def test_parents_are_created(self, tmp_path: Path, trace_maker: Any) -> None:
        """A folder in folders that do not exist is created."""
        trace_maker(tmp_path / "a" / "b" / "c").close()
        assert open_trace(tmp_path / "a" / "b" / "c").header.status == "complete"

    def test_an_empty_folder_is_used(self, tmp_path: Path, trace_maker: Any) -> None:
        """A folder that exists and is empty is as good as a new one."""
        trace_maker(tmp_path).close()
        assert len(open_trace(tmp_path).ranks) == 1

    @pytest.mark.parametrize("force", [False, True])
    def test_a_folder_of_something_else_is_refused(self, tmp_path: Path, trace_maker: Any, *, force: bool) -> None:
        """A foreign file is named and kept, with force as well."""
        (tmp_path / "thesis.tex").write_text("precious")
        with pytest.raises(RecordingError, match=r"holds 'thesis\.tex', which is not part of a trace") as caught:
            trace_maker(tmp_path, force=force)
        assert caught.value.slug == "folder-not-empty"
        assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]

    def test_an_older_trace_is_kept_without_force(self, small: Path, trace_maker: Any) -> None:
        """The error names the folder and the option, and no byte of the trace has changed."""
        before = {path.name: path.read_bytes() for path in small.iterdir()}
        with pytest.raises(RecordingError, match=r"small already holds a trace: .*--force") as caught:
            trace_maker(small)
        assert caught.value.slug == "trace-exists"
        assert {path.name: path.read_bytes() for path in small.iterdir()} == before

    def test_an_older_trace_is_replaced_with_force(self, small: Path, trace_maker: Any) -> None:
        """Nothing of the older trace is left."""
        trace_maker(small, force=True, run_id="f" * 32).add(0, [(LABEL, "new")]).close()
        trace = open_trace(small)
        assert (trace.header.run_id, len(trace.ranks[0]), len(trace.ranks[0].events)) == ("f" * 32, 1, 1)

    def test_processes_of_an_older_trace_do_not_stay_behind(self, tmp_path: Path, trace_maker: Any) -> None:
        """A training in one process replaces one of three without inheriting two of its processes."""
        for rank in range(3):
            trace_maker(tmp_path / "run", rank=rank, num_ranks=3).add(0, [(DATA, "old")]).close()
        trace_maker(tmp_path / "run", force=True, num_ranks=1).add(0, [(DATA, "new")]).close()
        assert sorted(open_trace(tmp_path / "run").ranks) == [0]

    def test_processes_of_an_older_trace_need_force(self, tmp_path: Path, trace_maker: Any) -> None:
        """What another process left is not mixed into a new trace."""
        trace_maker(tmp_path / "run", rank=2, num_ranks=3).close()
        with pytest.raises(RecordingError, match="already holds a trace"):
            trace_maker(tmp_path / "run", num_ranks=1)

    def test_the_processes_of_one_run_share_a_folder(self, tmp_path: Path, trace_maker: Any) -> None:
        """Processes start in any order, and none takes away what another has begun, not even with force."""
        makers = [trace_maker(tmp_path / "run", rank=rank, num_ranks=3, force=True) for rank in (2, 0, 1)]
        for maker in makers:
            maker.add(0, [(DATA, f"d{maker.trace.rank}")]).close()
        trace = open_trace(tmp_path / "run")
        assert [len(trace.ranks[rank]) for rank in (0, 1, 2)] == [1, 1, 1]
        assert trace.explain_incomplete() is None

    def test_a_file_in_the_place_of_the_folder_is_one_line(self, tmp_path: Path, trace_maker: Any) -> None:
        """A file cannot become the folder of a trace."""
        (tmp_path / "run").write_text("x")
        with pytest.raises(RecordingError, match=r"cannot write .*run: File exists"):
            trace_maker(tmp_path / "run")

    def test_the_header_is_replaced_whole_or_not_at_all(
        self, tmp_path: Path, trace_maker: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """If the new `run.json` cannot be written the old one stays, and no draft is left."""
        maker = trace_maker(tmp_path / "run", status="running")

        def fail(*_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", fail)
            with pytest.raises(OSError, match="No space"):
                maker.trace.write_header(maker.trace.header)
        maker.close()
        assert open_trace(tmp_path / "run").header.status == "running"
        assert {path.name for path in (tmp_path / "run").iterdir()} == {
            "run.json",
            *(f"rank0.{part}" for part in PARTS),
        }


class TestTheFileSystemRefuses:
    """An error of the file system is one line with the file and what to do."""

    @pytest.mark.parametrize(
        ("code", "remedy"),
        [
            (errno.ENOSPC, "free some space"),
            (errno.EDQUOT, "free some space"),
            (errno.EFBIG, "free some space"),
            (errno.EACCES, "that you can write"),
        ],
    )
    def test_the_remedy_fits_the_error(self, tmp_path: Path, code: int, remedy: str) -> None:
        """A full disk needs space, a forbidden folder another place."""
        error = writer_module.cannot_write(tmp_path, OSError(code, os.strerror(code)))
        assert str(error).startswith(f"cannot write {tmp_path}: {os.strerror(code)}: ")
        assert remedy in error.remedy

    def test_an_unwritable_folder_is_one_line(self, unprivileged_folder: Path, trace_maker: Any) -> None:
        """The error names the folder and says to choose another."""
        unprivileged_folder.chmod(0o555)
        with pytest.raises(
            RecordingError, match=r"cannot write .*: Permission denied: choose a folder that you can write"
        ):
            trace_maker(unprivileged_folder / "run")

    def test_a_write_in_pieces_is_completed(
        self, tmp_path: Path, trace_maker: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The kernel may take less than it is given; the rest follows."""
        real = os.write
        with monkeypatch.context() as patch:
            replace_write(patch, lambda descriptor, data: real(descriptor, data[:5]))
            trace_maker(tmp_path / "run").add(0, [(DATA, "d", [("exact", "q", (1, 2))])]).close()
        rank = open_trace(tmp_path / "run").ranks[0]
        rank.verify()
        assert rank.numbers(0)[0, "exact"].values == (1, 2)

    @pytest.mark.parametrize("num_writes", range(1, 9))
    def test_a_failed_write_leaves_the_frames_before(
        self, tmp_path: Path, trace_maker: Any, monkeypatch: pytest.MonkeyPatch, num_writes: int
    ) -> None:
        """Whichever write of a frame fails, and after however few bytes, all frames before it are there."""
        maker = trace_maker(tmp_path / "run").add(0, [(DATA, "d0")])
        real, taken = os.write, iter(range(num_writes))

        def write(descriptor: int, data: bytes) -> int:
            if next(taken, None) is None:
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(descriptor, data[:20])

        with monkeypatch.context() as patch:
            replace_write(patch, write)
            with pytest.raises(OSError, match="No space"):
                maker.add(1, [(LABEL, "l1", [("exact", "q", (1,))])])
        maker.close()
        rank = open_trace(tmp_path / "run").ranks[0]
        rank.verify()
        assert [frame.step for frame in rank.frames()] == [0]

    def test_nothing_is_written_after_a_failed_write(
        self, tmp_path: Path, trace_maker: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A frame after a lost one would stand in the wrong place: the writer refuses it."""
        maker = trace_maker(tmp_path / "run").add(0, [(DATA, "d0")])

        def fail(*_: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            replace_write(patch, fail)
            with pytest.raises(OSError, match="No space"):
                maker.add(1, [(DATA, "d1")])
        with pytest.raises(OSError, match="closed"):
            maker.add(2, [(DATA, "d2")])
        maker.close()
        assert [frame.step for frame in open_trace(tmp_path / "run").ranks[0].frames()] == [0]

    def test_descriptors_are_closed_when_a_file_cannot_be_created(self, tmp_path: Path, trace_maker: Any) -> None:
        """A rank whose files exist half-way is refused, and no file stays open."""
        trace_maker(tmp_path / "run").close()
        before = len(list(Path("/proc/self/fd").iterdir()))
        with pytest.raises(RecordingError, match=r"cannot write .*rank0\.names: File exists"):
            writer_module.RankWriter(tmp_path / "run", 0, "0" * 32)
        assert len(list(Path("/proc/self/fd").iterdir())) == before

    def test_closing_twice_does_nothing(self, tmp_path: Path, trace_maker: Any) -> None:
        """A closed trace may be closed again."""
        maker = trace_maker(tmp_path / "run")
        maker.close()
        maker.close()
        assert isinstance(maker.trace, TraceWriter)
        assert {path.suffix[1:] for path in (tmp_path / "run").glob("rank0.*")} == set(PARTS)

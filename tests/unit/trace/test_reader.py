"""Opening what is not, not yet, or no longer a trace: one line that names the file and what to do."""

from __future__ import annotations

import json
import os
import struct
import zlib
from typing import TYPE_CHECKING, Any

import pytest

from reproof.errors import TraceError
from reproof.schema import Event
from reproof.trace import find_newest_traces, open_trace
from reproof.trace import format as fmt

if TYPE_CHECKING:
    from pathlib import Path

DATA = Event(stage="batch", name="loader0(10)[0]", detail="content", num_tensors=1)
BINARY = ("frames", "digests", "values")


def refusal(path: Path) -> TraceError:
    """Return the error of opening a path, checked to be one line."""
    with pytest.raises(TraceError) as caught:
        open_trace(path)
    assert "\n" not in str(caught.value)
    return caught.value


def edit_header(folder: Path, **changes: Any) -> None:
    """Change fields of `run.json`; `...` takes one away."""
    path = folder / "run.json"
    header = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({key: value for key, value in header.items() if value is not ...}))


def patch_binary_header(path: Path, offset: int, form: str, value: object) -> None:
    """Change a field of a binary header and make its checksum right again."""
    data = bytearray(path.read_bytes())
    struct.pack_into(form, data, offset, value)
    struct.pack_into("<I", data, 60, zlib.crc32(data[:60]))
    path.write_bytes(data)


class TestWhatIsNoTrace:
    """A path that does not lead to a trace."""

    def test_a_missing_folder(self, tmp_path: Path) -> None:
        """A folder that does not exist is named."""
        error = refusal(tmp_path / "gone")
        assert str(error) == f"no trace at {tmp_path / 'gone'}: name a folder that `reproof run -o` made"
        assert error.slug == "trace-missing"

    def test_a_file(self, tmp_path: Path) -> None:
        """A file is no folder of a trace."""
        (tmp_path / "file").write_bytes(b"x")
        assert str(refusal(tmp_path / "file")).startswith(
            f"{tmp_path / 'file'} is a file and not the folder of a trace: "
        )

    def test_an_empty_folder(self, tmp_path: Path) -> None:
        """A folder without `run.json` is foreign."""
        error = refusal(tmp_path)
        assert (error.problem, error.slug) == (f"{tmp_path} is not a trace: it has no run.json", "trace-foreign")

    @pytest.mark.parametrize("name", ["a" * 300, "a\0b"])
    def test_a_name_that_no_file_can_have(self, tmp_path: Path, name: str) -> None:
        """A name that the file system refuses is an error like any other."""
        assert refusal(tmp_path / name).slug in {"trace-missing", "trace-unreadable"}

    def test_a_header_without_processes(self, small: Path) -> None:
        """A trace of which only `run.json` is left holds no recorded process."""
        for path in small.glob("rank0.*"):
            path.unlink()
        error = refusal(small)
        assert (error.problem, error.slug) == (f"{small} holds no recorded process", "trace-empty")

    def test_files_that_only_look_like_those_of_a_process(self, small: Path) -> None:
        """Names that are no number, in any script, are left alone."""
        for name in ("rank²", "rank٣", "rank00", "rank-1", "rank", "rank1x"):
            (small / f"{name}.frames").write_bytes(b"x")
        assert list(open_trace(small).ranks) == [0]


class TestRunJson:
    """`run.json` is read with care: it may have been edited, cut, or made by something else."""

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"{",
            b"\xff\xfe{}",
            b'{"format": "reproof-trace", "format_version": 1',
            b"[" * 100_000,
            b"1" * 5000,
            b'{"format": "reproof-trace", "format_version": ' + b"1" * 5000 + b"}",
        ],
        ids=["empty", "cut", "not utf-8", "cut later", "nested", "long number", "long version"],
    )
    def test_what_is_not_json(self, small: Path, content: bytes) -> None:
        """What cannot be parsed is damaged, and the file is named."""
        (small / "run.json").write_bytes(content)
        error = refusal(small)
        assert error.problem.startswith(f"cannot read {small / 'run.json'}: ")
        assert error.slug == "trace-damaged"

    @pytest.mark.parametrize("content", [b"null", b"1", b"[]", b'"reproof-trace"', b"{}", b'{"format": "other"}'])
    def test_json_of_something_else(self, small: Path, content: bytes) -> None:
        """Other JSON is foreign."""
        (small / "run.json").write_bytes(content)
        error = refusal(small)
        assert (error.problem, error.slug) == (f"{small / 'run.json'} is not the header of a trace", "trace-foreign")

    def test_a_newer_version(self, small: Path) -> None:
        """A format of the future is refused with the remedy, whatever else the file holds."""
        (small / "run.json").write_text('{"format": "reproof-trace", "format_version": 2, "status": 7}')
        error = refusal(small)
        expected = f"{small / 'run.json'} has format version 2, and this release reads up to 1"
        assert (error.problem, error.remedy, error.slug) == (expected, "upgrade reproof", "trace-newer")

    @pytest.mark.parametrize("version", [0, -1, 1.0, True, "1", None, ..., [1]])
    def test_a_version_that_is_none(self, small: Path, version: object) -> None:
        """A version that no release has written is damage."""
        edit_header(small, format_version=version)
        assert refusal(small).slug == "trace-damaged"

    @pytest.mark.parametrize(
        ("field", "values"),
        [
            ("run_id", [..., None, 1, "", "xyz", "0" * 31, "0" * 34, " " + "0" * 31, ["0" * 32]]),
            ("status", [..., None, 1, "done", ["complete"]]),
            ("level", [..., None, 1, "everything", {}]),
            ("command", [..., None, "train.py", 1, {"a": 1}, [1], [None]]),
            ("num_batches", [..., 1.5, "1", True, -1, float("inf"), [1]]),
            ("num_steps", [..., 1.5, "1", False, 0, [1]]),
            ("statistics", [..., None, 1, "yes"]),
            ("created", [..., None, 1, "", "yesterday", "2026-01-02", "2026-01-02T03:04:05"]),
            ("environment", [..., None, 1, "x", [["a", 1]]]),
            ("ended", [..., 1, ["x"]]),
            ("exit_code", [..., "1", 1.5, False, float("nan")]),
            ("problems", [..., None, "problem", 1, [1]]),
            ("num_ranks", [..., None, 0, -1, 2**31, "1", 1.0, True, float("inf")]),
        ],
    )
    def test_a_field_of_the_wrong_type(self, small: Path, field: str, values: list[Any]) -> None:
        """The field is named, and nothing is guessed in its place."""
        original = (small / "run.json").read_text()
        for value in values:
            (small / "run.json").write_text(original)
            edit_header(small, **{field: value})
            error = refusal(small)
            assert error.slug == "trace-damaged"
            assert error.problem.startswith(f"{small / 'run.json'} is damaged: ")
            assert field in error.problem

    def test_fields_of_a_later_release_are_ignored(self, small: Path) -> None:
        """A key that this release does not know changes nothing."""
        before = open_trace(small).header
        edit_header(small, colour="red")
        assert open_trace(small).header == before

    def test_an_enormous_number_of_processes_costs_nothing(self, small: Path) -> None:
        """Missing processes are found without counting to the number that the header claims."""
        edit_header(small, num_ranks=2**31 - 1)
        assert open_trace(small).explain_incomplete() == "rank 1 left no trace"

    def test_a_process_beyond_the_number_of_processes(self, small: Path) -> None:
        """Files of a process that the run did not have belong to another run."""
        for path in small.glob("rank0.*"):
            path.rename(path.with_name(path.name.replace("rank0", "rank3")))
        assert refusal(small).problem == f"{small} holds files of rank 3, and the run had 1 process"


class TestBinaryFiles:
    """The files of a process are checked before anything in them is used."""

    @pytest.mark.parametrize("part", [*BINARY, "names"])
    def test_a_missing_file(self, small: Path, part: str) -> None:
        """A missing file is named; without frames there is no process at all."""
        (small / f"rank0.{part}").unlink()
        error = refusal(small)
        named = small if part == "frames" else small / f"rank0.{part}"
        assert str(named) in error.problem
        assert error.slug == ("trace-empty" if part == "frames" else "trace-damaged")

    @pytest.mark.parametrize("part", BINARY)
    def test_an_empty_file(self, small: Path, part: str) -> None:
        """An empty file is named."""
        (small / f"rank0.{part}").write_bytes(b"")
        assert refusal(small).problem == f"{small / f'rank0.{part}'} is empty"

    @pytest.mark.parametrize("part", BINARY)
    @pytest.mark.parametrize("content", [b"x", b"x" * 64, b"\x80\x04]." * 100, b"PK\x03\x04" * 40])
    def test_a_foreign_file(self, small: Path, part: str, content: bytes) -> None:
        """A file of something else is refused by its first bytes."""
        (small / f"rank0.{part}").write_bytes(content)
        error = refusal(small)
        expected = f"{small / f'rank0.{part}'} is not the {part} file of a trace"
        assert (error.problem, error.slug) == (expected, "trace-foreign")

    def test_two_files_changed_places(self, small: Path) -> None:
        """A file of one kind does not pass for one of another."""
        (small / "rank0.digests").rename(small / "x")
        (small / "rank0.values").rename(small / "rank0.digests")
        (small / "x").rename(small / "rank0.values")
        assert refusal(small).slug == "trace-foreign"

    @pytest.mark.parametrize("part", BINARY)
    def test_a_newer_version(self, small: Path, part: str) -> None:
        """A binary file of the future is refused with the remedy, even if its checksum is computed in another way."""
        path = small / f"rank0.{part}"
        path.write_bytes(path.read_bytes()[:8] + struct.pack("<I", 2) + path.read_bytes()[12:])
        error = refusal(small)
        assert error.problem == f"{path} has format version 2, and this release reads up to 1"
        assert (error.remedy, error.slug) == ("upgrade reproof", "trace-newer")

    @pytest.mark.parametrize("part", BINARY)
    def test_version_zero(self, small: Path, part: str) -> None:
        """There is no version 0."""
        patch_binary_header(small / f"rank0.{part}", 8, "<I", 0)
        assert refusal(small).slug == "trace-damaged"

    @pytest.mark.parametrize("part", BINARY)
    def test_a_file_of_another_process(self, small: Path, part: str) -> None:
        """A file that was renamed to another rank is found by the rank in its header."""
        patch_binary_header(small / f"rank0.{part}", 12, "<I", 1)
        assert refusal(small).problem == f"{small / f'rank0.{part}'} is damaged: it is of rank 1"

    @pytest.mark.parametrize("part", BINARY)
    def test_a_file_of_another_run(self, small: Path, part: str) -> None:
        """A file that was copied from another run is found by the run in its header."""
        patch_binary_header(small / f"rank0.{part}", 16, "<16s", bytes(16))
        assert refusal(small).problem == f"{small / f'rank0.{part}'} is damaged: it is of another run"

    @pytest.mark.parametrize("part", [*BINARY, "names"])
    def test_a_folder_in_the_place_of_a_file(self, small: Path, part: str) -> None:
        """What is not a regular file is refused."""
        (small / f"rank0.{part}").unlink()
        (small / f"rank0.{part}").mkdir()
        assert str(small / f"rank0.{part}") in refusal(small).problem

    @pytest.mark.parametrize("name", ["rank0.frames", "rank0.names", "run.json"])
    @pytest.mark.timeout(20)
    def test_a_pipe_in_the_place_of_a_file(self, small: Path, name: str) -> None:
        """A pipe is refused, and not waited for."""
        (small / name).unlink()
        os.mkfifo(small / name)
        assert f"{small / name} is not a regular file" in refusal(small).problem

    @pytest.mark.parametrize("name", ["rank0.names", "run.json"])
    def test_a_file_of_holes(self, small: Path, name: str) -> None:
        """It takes no room on a disk, and is not read into memory."""
        os.truncate(small / name, 1 << 36)
        assert refusal(small).problem.startswith(f"{small / name} is damaged: it has 68719476736 bytes")


class TestPermissions:
    """What may not be read is said to be so."""

    @pytest.mark.parametrize("name", ["run.json", "rank0.names", "rank0.frames"])
    def test_an_unreadable_file(self, unprivileged_folder: Path, trace_maker: Any, name: str) -> None:
        """The file and its permissions are named."""
        trace_maker(unprivileged_folder / "run").add(0, [(DATA, "d")]).close()
        (unprivileged_folder / "run" / name).chmod(0)
        error = refusal(unprivileged_folder / "run")
        assert error.problem == f"cannot read {unprivileged_folder / 'run' / name}: Permission denied"
        assert (error.remedy, error.slug) == ("check its name and its permissions", "trace-unreadable")

    @pytest.mark.parametrize("mode", [0o000, 0o100, 0o400])
    def test_an_unreadable_folder(self, unprivileged_folder: Path, trace_maker: Any, mode: int) -> None:
        """A folder that may not be listed or entered is an error, not an empty trace."""
        trace_maker(unprivileged_folder / "run").add(0, [(DATA, "d")]).close()
        (unprivileged_folder / "run").chmod(mode)
        error = refusal(unprivileged_folder / "run")
        (unprivileged_folder / "run").chmod(0o700)
        assert "Permission denied" in error.problem
        assert error.slug == "trace-unreadable"

    def test_a_folder_behind_one_that_may_not_be_entered(self, unprivileged_folder: Path) -> None:
        """A path that cannot be looked at is unreadable."""
        unprivileged_folder.chmod(0)
        assert "Permission denied" in refusal(unprivileged_folder / "run").problem


class TestNewest:
    """`find_newest_traces` goes by the time at which the recordings began."""

    def test_the_newest_come_last(self, tmp_path: Path, trace_maker: Any) -> None:
        """Names and times of files do not matter."""
        for name, hour in (("b", 1), ("c", 3), ("a", 2)):
            trace_maker(tmp_path / name, created=f"2026-01-02T0{hour}:00:00.5+00:00").close()
        assert [path.name for path in find_newest_traces(tmp_path)] == ["a", "c"]
        assert [path.name for path in find_newest_traces(tmp_path, 3)] == ["b", "a", "c"]

    def test_times_of_two_time_zones_are_compared_as_times(self, tmp_path: Path, trace_maker: Any) -> None:
        """The hour that comes twice when summer time ends does not turn the order round."""
        trace_maker(tmp_path / "first", created="2026-10-25T02:30:00+02:00").close()
        trace_maker(tmp_path / "second", created="2026-10-25T02:10:00+01:00").close()
        assert [path.name for path in find_newest_traces(tmp_path)] == ["first", "second"]

    def test_the_experiments_of_a_check_are_left_out(self, tmp_path: Path, trace_maker: Any) -> None:
        """A file beside the trace tells that it is one."""
        for hour, name in enumerate(("baseline", "candidate", "experiment1"), start=1):
            trace_maker(tmp_path / name, created=f"2026-01-02T0{hour}:00:00+00:00").close()
        (tmp_path / "experiment1.experiment.json").write_text("{}", encoding="utf-8")
        assert [path.name for path in find_newest_traces(tmp_path)] == ["baseline", "candidate"]

    def test_other_files_and_folders_are_left_out(self, tmp_path: Path, trace_maker: Any) -> None:
        """Only folders with a `run.json` count."""
        (tmp_path / "notes").mkdir()
        (tmp_path / "run.json").write_text("{}")
        trace_maker(tmp_path / "a").close()
        trace_maker(tmp_path / "b").close()
        assert len(find_newest_traces(tmp_path)) == 2

    @pytest.mark.parametrize("count", [0, 1])
    def test_too_few(self, tmp_path: Path, trace_maker: Any, count: int) -> None:
        """The error says how many there are."""
        for number in range(count):
            trace_maker(tmp_path / str(number)).close()
        with pytest.raises(TraceError, match=rf"holds {count} of the 2 runs to compare: record another"):
            find_newest_traces(tmp_path)

    def test_a_missing_folder(self, tmp_path: Path) -> None:
        """The folder is named."""
        with pytest.raises(TraceError, match=r"no folder of runs at .*gone"):
            find_newest_traces(tmp_path / "gone")

    def test_an_unreadable_folder(self, unprivileged_folder: Path) -> None:
        """A folder that may not be listed is an error."""
        unprivileged_folder.chmod(0)
        with pytest.raises(TraceError, match="Permission denied"):
            find_newest_traces(unprivileged_folder)

    def test_a_damaged_run_is_named(self, tmp_path: Path, trace_maker: Any) -> None:
        """A damaged run is not passed over in silence: it may be the newest."""
        for name in "abc":
            trace_maker(tmp_path / name).close()
        (tmp_path / "b" / "run.json").write_text("{")
        with pytest.raises(TraceError, match=r"b/run\.json"):
            find_newest_traces(tmp_path)


class TestIncomplete:
    """Whether a trace is the record of a whole run."""

    @pytest.mark.parametrize(
        ("fields", "expected"),
        [
            ({"status": "complete"}, None),
            ({"status": "running"}, "the run was killed or is still running"),
            ({"status": "failed", "ended": "the run raised ValueError: x"}, "the run raised ValueError: x"),
            ({"status": "interrupted"}, "interrupted"),
            ({"num_ranks": 3}, "rank 1 left no trace"),
        ],
    )
    def test_the_reason_is_told(self, tmp_path: Path, trace_maker: Any, fields: Any, expected: str | None) -> None:
        """None for a whole run, else why it is not."""
        trace_maker(tmp_path / "run", **fields).add(0, [(DATA, "d")]).close()
        assert open_trace(tmp_path / "run").explain_incomplete() == expected

    @pytest.mark.parametrize("part", BINARY)
    def test_a_complete_run_that_was_cut_later(self, small: Path, part: str) -> None:
        """A copy that lost its end is told from a whole trace, even where it ends between two frames."""
        path = small / f"rank0.{part}"
        width = {"frames": fmt.FRAME_BYTES, "digests": 16, "values": 1}[part]
        path.write_bytes(path.read_bytes()[:-width])
        trace = open_trace(small)
        assert len(trace.ranks[0]) == 4
        assert trace.explain_incomplete() == "the files of rank 0 were cut after step 3"
        with pytest.raises(TraceError, match="cut after step 3"):
            trace.verify()

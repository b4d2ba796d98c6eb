"""A trace in forms that other tools read."""

from __future__ import annotations

import errno
import json
import math
import sys
from typing import TYPE_CHECKING, Any

import pytest

from reproof.errors import DependencyError, RecordingError, TraceError
from reproof.schema import Event
from reproof.trace import open_trace
from reproof.trace.views import export
from reproof.trace.views.export import export_trace

if TYPE_CHECKING:
    from pathlib import Path

DATA = Event(stage="batch", name="loader0(10)[0]", detail="content", num_tensors=1)
ODD = Event(stage="batch", name="loader0['\ud800 é\n']", detail="content", num_tensors=1)


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a file as a strict reader of JSON sees them."""

    def refuse(word: str) -> None:
        raise AssertionError(word)

    return [json.loads(line, parse_constant=refuse) for line in path.read_text(encoding="utf-8").splitlines()]


class TestJsonLines:
    """One JSON object per event."""

    def test_every_event_is_a_row(self, small: Path, small_frames: Any, trace_maker: Any, tmp_path: Path) -> None:
        """Rows come in execution order, with what identifies the event, its digest and its step."""
        num_rows = export_trace(open_trace(small), tmp_path / "out.jsonl", "jsonl")
        rows = read_jsonl(tmp_path / "out.jsonl")
        expected = [
            (0, frame, step, part[0].stage, part[0].detail, part[0].name, part[0].algorithm)
            for frame, (step, parts, _) in enumerate(small_frames)
            for part in parts
        ]
        assert [tuple(row.values())[:7] for row in rows] == expected
        digests = [trace_maker.digest(part).hex() for _, parts, _ in small_frames for part in parts]
        assert [row["digest"] or "0" * 32 for row in rows] == digests
        assert num_rows == len(rows) == 9

    def test_an_event_without_digest_says_why(self, small: Path, tmp_path: Path) -> None:
        """There is no digest of zeros in an export."""
        export_trace(open_trace(small), tmp_path / "out.jsonl", "jsonl")
        row = read_jsonl(tmp_path / "out.jsonl")[7]
        assert (row["digest"], row["skipped"]) == (None, "a value of type Path")

    def test_numbers_are_columns_where_they_were_kept(self, small: Path, tmp_path: Path) -> None:
        """A kind of numbers that was not kept has no column."""
        export_trace(open_trace(small), tmp_path / "out.jsonl", "jsonl")
        rows = read_jsonl(tmp_path / "out.jsonl")
        assert (rows[0]["exact"], rows[1]["samples"]) == ([3, 1, 2], [7, 8, 9])
        assert (rows[4]["exact"], rows[4]["statistics"]) == ([1, -1], [0.5, -0.0])
        assert not {"exact", "samples", "statistics"} & set(rows[3])

    def test_what_json_has_no_number_for_is_a_word(self, tmp_path: Path, trace_maker: Any) -> None:
        """NaN and infinities are strings, as in the JSON of protocol buffers: every reader of JSON takes the file."""
        values = (math.nan, math.inf, -math.inf, -0.0, 5e-324, 1.0)
        trace_maker(tmp_path / "run").add(0, [(DATA, "d", [("statistics", "d", values)])]).close()
        export_trace(open_trace(tmp_path / "run"), tmp_path / "out.jsonl", "jsonl")
        kept = read_jsonl(tmp_path / "out.jsonl")[0]["statistics"]
        assert kept[:3] == ["NaN", "Infinity", "-Infinity"]
        assert [repr(number) for number in kept[3:]] == ["-0.0", "5e-324", "1.0"]

    def test_names_of_any_characters(self, tmp_path: Path, trace_maker: Any) -> None:
        """The file is UTF-8, one line per row, and names come back, lone surrogates too."""
        trace_maker(tmp_path / "run").add(0, [(ODD, "d")]).close()
        export_trace(open_trace(tmp_path / "run"), tmp_path / "out.jsonl", "jsonl")
        assert [row["name"] for row in read_jsonl(tmp_path / "out.jsonl")] == [ODD.name]
        assert "é" in (tmp_path / "out.jsonl").read_text(encoding="utf-8")

    def test_all_processes_are_exported(self, tmp_path: Path, trace_maker: Any) -> None:
        """Rows of one process after those of another."""
        for rank in (1, 0):
            trace_maker(tmp_path / "run", rank=rank, num_ranks=2).add(0, [(DATA, "d")]).close()
        export_trace(open_trace(tmp_path / "run"), tmp_path / "out.jsonl", "jsonl")
        assert [row["rank"] for row in read_jsonl(tmp_path / "out.jsonl")] == [0, 1]


class TestParquet:
    """A table with typed columns."""

    def test_the_table_has_the_rows_of_the_json_lines(self, small: Path, tmp_path: Path) -> None:
        """Both forms say the same; integers beyond 2**53 apart."""
        parquet = pytest.importorskip("pyarrow.parquet")
        trace = open_trace(small)
        assert export_trace(trace, tmp_path / "out.parquet", "parquet") == 9
        export_trace(trace, tmp_path / "out.jsonl", "jsonl")
        rows = parquet.read_table(tmp_path / "out.parquet").to_pylist()
        for row, expected in zip(rows, read_jsonl(tmp_path / "out.jsonl"), strict=True):
            assert {key: value for key, value in row.items() if value is not None or key in expected} == expected

    def test_names_of_any_characters(self, tmp_path: Path, trace_maker: Any) -> None:
        """What Parquet cannot say is escaped."""
        parquet = pytest.importorskip("pyarrow.parquet")
        trace_maker(tmp_path / "run").add(0, [(ODD, "d")]).close()
        export_trace(open_trace(tmp_path / "run"), tmp_path / "out.parquet", "parquet")
        assert parquet.read_table(tmp_path / "out.parquet")["name"].to_pylist() == ["loader0['\\ud800 é\n']"]

    def test_a_long_trace_is_written_in_blocks(
        self, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Rows beyond one block are not lost."""
        parquet = pytest.importorskip("pyarrow.parquet")
        monkeypatch.setattr(export, "ROWS_AT_A_TIME", 2)
        assert export_trace(open_trace(small), tmp_path / "out.parquet", "parquet") == 9
        assert parquet.read_table(tmp_path / "out.parquet").num_rows == 9

    def test_without_pyarrow_the_remedy_is_told(
        self, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The error names the extra to install, and leaves no file."""
        monkeypatch.setitem(sys.modules, "pyarrow", None)
        with pytest.raises(DependencyError, match=r"Parquet needs pyarrow: pip install 'reproof\[parquet\]'"):
            export_trace(open_trace(small), tmp_path / "out.parquet", "parquet")
        assert [path.name for path in tmp_path.iterdir()] == ["small"]


class TestTheFile:
    """The file appears whole or not at all."""

    def test_an_existing_file_is_kept_without_force(self, small: Path, tmp_path: Path) -> None:
        """Nothing is overwritten unless asked."""
        (tmp_path / "out.jsonl").write_text("precious")
        with pytest.raises(RecordingError, match=r"out\.jsonl already exists: .*--force"):
            export_trace(open_trace(small), tmp_path / "out.jsonl", "jsonl")
        assert (tmp_path / "out.jsonl").read_text() == "precious"
        assert export_trace(open_trace(small), tmp_path / "out.jsonl", "jsonl", force=True) == 9

    def test_a_folder_that_is_missing(self, small: Path, tmp_path: Path) -> None:
        """The file is named."""
        with pytest.raises(RecordingError, match=r"cannot write .*out\.jsonl: No such file or directory"):
            export_trace(open_trace(small), tmp_path / "gone" / "out.jsonl", "jsonl")

    def test_a_folder_that_may_not_be_entered(self, unprivileged_folder: Path, trace_maker: Any) -> None:
        """A path that cannot be looked at is an error of one line."""
        trace_maker(unprivileged_folder / "run").add(0, [(DATA, "d")]).close()
        trace = open_trace(unprivileged_folder / "run")
        unprivileged_folder.chmod(0)
        with pytest.raises(RecordingError, match="Permission denied"):
            export_trace(trace, unprivileged_folder / "x" / "out.jsonl", "jsonl")

    def test_a_full_disk(self, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The remedy is space, and no half of a file is left."""

        def fail(*_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(export, "write_jsonl", fail)
        with pytest.raises(RecordingError, match=r"cannot write .*No space left on device: free some space"):
            export_trace(open_trace(small), tmp_path / "out.jsonl", "jsonl")
        assert [path.name for path in tmp_path.iterdir()] == ["small"]

    def test_a_damaged_trace_leaves_no_file(self, small: Path, tmp_path: Path) -> None:
        """What cannot be read to its end is not exported in part."""
        data = bytearray((small / "rank0.digests").read_bytes())
        data[64] ^= 1
        (small / "rank0.digests").write_bytes(data)
        with pytest.raises(TraceError):
            export_trace(open_trace(small), tmp_path / "out.jsonl", "jsonl")
        assert [path.name for path in tmp_path.iterdir()] == ["small"]

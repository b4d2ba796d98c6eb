"""The file beside a trace that holds what a process has put out."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest

from reproof.errors import TraceError
from reproof.outputs import sidecar
from reproof.outputs.records import FileOutput, Line, Part, RunOutput, SavedTensor, UnkeptLines, digest_text
from reproof.outputs.sidecar import OutputWriter, append_files, read_output
from reproof.outputs.surroundings import Surroundings

if TYPE_CHECKING:
    from pathlib import Path

DIGEST: Final = digest_text("x")
OTHER: Final = digest_text("y")
OUTPUT: Final = RunOutput(
    surroundings=Surroundings(
        began_at=1.5,
        ended_at=2.5,
        utc_offset_seconds=-3600,
        process_ids=(12,),
        nearby_ids=(12, 40),
        identifiers=("3fa9c1",),
        host="h",
        temporary=("/tmp/x",),  # noqa: S108
    ),
    saved=(
        SavedTensor(step=3, file="a.pt", path="['w']", digest=DIGEST, masked=DIGEST, text="Float [2]"),
        SavedTensor(step=3, file="a.pt", path="['at']", digest=DIGEST, masked=OTHER, text="1.5"),
    ),
    lines=(
        Line(stream="stdout", text="a \ud800 é"),
        Line(stream="stderr", text="b", worker="pool", digest=DIGEST),
    ),
    unkept=(UnkeptLines(stream="stdout", worker="", count=3, digest=DIGEST),),
    files=(
        FileOutput(
            name="x", format="lines", parts=(Part(name="line 1", digest=DIGEST, masked=OTHER, text="t"),), note="n"
        ),
        FileOutput(name="y", format="unread", not_compared="why"),
    ),
    notes=("lines are not recorded",),
)


def write(folder: Path, output: RunOutput = OUTPUT) -> Path:
    """Write an output and return its file."""
    writer = OutputWriter(folder, 0)
    writer.add_saved(output.saved)
    assert output.surroundings is not None
    writer.finish(output.surroundings, lines=output.lines, unkept=output.unkept, files=output.files, notes=output.notes)
    return folder / "rank0.output"


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """Every field comes back."""
    write(tmp_path)
    assert read_output(tmp_path, 0) == OUTPUT


def test_no_file_is_no_output(tmp_path: Path) -> None:
    """A trace of before, or without it."""
    assert read_output(tmp_path, 0) is None


def test_a_killed_run_keeps_what_it_saved(tmp_path: Path) -> None:
    """What was saved is there at once; an unfinished line is left out, and the output says that it is not complete."""
    writer = OutputWriter(tmp_path, 0)
    writer.add_saved(OUTPUT.saved)
    with (tmp_path / "rank0.output").open("ab") as file:
        file.write(b'{"saved": "cut')
    found = read_output(tmp_path, 0)
    writer.close()
    assert found is not None
    assert (found.saved, found.is_complete, found.surroundings) == (OUTPUT.saved, False, None)


def test_every_cut_is_readable(tmp_path: Path) -> None:
    """Wherever the file ends, it is read as incomplete."""
    path = write(tmp_path)
    data = path.read_bytes()
    for end in range(0, len(data) - 1, 7):
        path.write_bytes(data[:end])
        found = read_output(tmp_path, 0)
        assert found is not None
        assert not found.is_complete


def test_every_changed_bit_is_found(tmp_path: Path) -> None:
    """The end holds a digest of all above it; its own bytes are no part of what was put out."""
    path = write(tmp_path)
    data = path.read_bytes()
    for at in range(0, data.rindex(b"\n", 0, -1), 7):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :])
        with pytest.raises(TraceError, match="damaged"):
            read_output(tmp_path, 0)


def test_a_stopped_run_has_an_end_of_its_own(tmp_path: Path) -> None:
    """Nothing but what it saved, and cut it is incomplete as any other."""
    writer = OutputWriter(tmp_path, 0)
    writer.add_saved(OUTPUT.saved)
    writer.finish(None)
    assert read_output(tmp_path, 0) == RunOutput(surroundings=None, saved=OUTPUT.saved)


@pytest.mark.parametrize(
    "line",
    [
        b"no json",
        b"[]",
        b'{"other": 1}',
        b'{"line": 1, "stream": "stdout"}',
        b'{"line": "a", "stream": "other"}',
        b'{"saved": "a", "step": -1, "file": "f", "digest": "00", "text": ""}',
        b'{"part": "a", "digest": "00000000000000000000000000000000", "text": ""}',
        b'{"file": "a", "format": 3}',
        b'{"end": 5}',
        b'{"surroundings": {"began_at": 2.0, "ended_at": 1.0}}',
        b"\xff",
        b"[" * 100_000,
    ],
)
def test_a_damaged_line_is_named(tmp_path: Path, line: bytes) -> None:
    """The error says which line it is."""
    (tmp_path / "rank0.output").write_bytes(b'{"note":"n"}\n' + line + b"\n")
    with pytest.raises(TraceError, match=r"rank0\.output is damaged: line 2 "):
        read_output(tmp_path, 0)


def test_a_line_after_the_end_is_damage(tmp_path: Path) -> None:
    """Of all but files and notes, nothing is appended to a file that is finished."""
    path = write(tmp_path)
    path.write_bytes(path.read_bytes() + b'{"line":"a","stream":"stdout"}\n')
    with pytest.raises(TraceError, match="damaged"):
        read_output(tmp_path, 0)


def test_files_that_are_appended_take_the_place_of_others(tmp_path: Path) -> None:
    """As they were read last; how one came to be is known from before."""
    parts = (Part(name="line 1", digest=DIGEST, masked=DIGEST, text="t"),)
    was_read = FileOutput(name="x", format="lines", was_there=True, saved_as="y")
    missed = FileOutput(name="x", format="missed")  # looked for in vain before it was made
    write(tmp_path, replace(OUTPUT, files=(was_read, FileOutput(name="z", format="untouched"), missed)))
    later = [FileOutput(name=name, format="lines", parts=parts) for name in ("x", "z", "new")]
    append_files(tmp_path, 0, [FileOutput(name="x", format="bytes", not_compared="open"), *later])
    found = read_output(tmp_path, 0)
    assert found is not None
    assert found.is_complete
    assert found.files == (missed, replace(was_read, parts=parts), *later[1:])


def test_a_huge_line_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file without line ends does not fill the memory."""
    monkeypatch.setattr(sidecar, "MAX_LINE_BYTES", 100)
    (tmp_path / "rank0.output").write_bytes(b"x" * 1000)
    with pytest.raises(TraceError, match="longer than 100 bytes"):
        read_output(tmp_path, 0)


def test_a_folder_in_its_place_is_refused(tmp_path: Path) -> None:
    """Only regular files are opened."""
    (tmp_path / "rank0.output").mkdir()
    with pytest.raises(TraceError, match="not a regular file"):
        read_output(tmp_path, 0)


def test_what_is_beyond_the_limits_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Saved values and files beyond the limits are counted in notes."""
    monkeypatch.setattr(sidecar, "MAX_SAVED", 1)
    monkeypatch.setattr(sidecar, "MAX_FILES", 1)
    write(tmp_path)
    found = read_output(tmp_path, 0)
    assert found is not None
    assert (len(found.saved), len(found.files)) == (1, 1)
    assert found.notes[1:] == (
        "1 saved values beyond the first 1 are not compared",
        "1 files beyond 1 files or 500000 parts are not compared",
    )


def test_each_line_is_a_json_object(tmp_path: Path) -> None:
    """The format is JSON lines in ASCII."""
    lines = write(tmp_path).read_text(encoding="ascii").splitlines()
    assert all(isinstance(json.loads(line), dict) for line in lines)

"""What is in a file: the same results at another time are the same, other results are not, and nothing is executed."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import os
import pickle
import sqlite3
import struct
import sys
import tarfile
import time
import zipfile
import zlib
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pytest
import torch

from reproof.outputs.comparison import OutputComparison, compare_outputs
from reproof.outputs.contents import read_contents
from reproof.outputs.formats import pickles
from reproof.outputs.records import FileOutput, RunOutput
from reproof.outputs.surroundings import Surroundings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BEGAN: Final = 1_795_983_060  # 2026-11-29 20:11:00 UTC
TIMES: Final = (BEGAN + 10, BEGAN + 1210)
KNOWN: Final = tuple(Surroundings(began_at=time - 10, ended_at=time + 50) for time in TIMES)

WRITERS: dict[str, Any] = {}


def writes(name: str) -> Callable[[Any], Any]:
    """Enter a function that writes a file, given its path, the time and the result."""

    def enter(function: Any) -> Any:
        WRITERS[name] = function
        return function

    return enter


def date(when: float) -> datetime:
    """Return a time as a date."""
    return datetime.fromtimestamp(when, timezone.utc).replace(tzinfo=None)


@writes("log.txt")
def _(path: Path, when: float, result: int) -> None:
    path.write_text(f"{date(when)} start\n10%\r100%\nloss {result}, took {when % 7:.2f} s\n", encoding="utf-8")


@writes("config.yaml")
def _(path: Path, when: float, result: int) -> None:
    path.write_text(f"created: {date(when)}\nlr: {result}\n", encoding="utf-8")


@writes("report.html")
def _(path: Path, when: float, result: int) -> None:
    path.write_text(f"<p>Generated {date(when).ctime()}</p>\n<td>{result}</td>", encoding="utf-8")


@writes("results.json")
def _(path: Path, when: float, result: int) -> None:
    value = {"at": when, "log": [{"loss": result, "eval_runtime": when % 7}], "date": str(date(when))}
    path.write_text(json.dumps(value), encoding="utf-8")


@writes("log.csv")
def _(path: Path, when: float, result: int) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["epoch", "rmse", "timestamp", "samples_per_second", "epoch_time"])
        rows.writerow([0, result, when, int(when % 77), f"{when % 7:.2f}"])


@writes("a.gz")
def _(path: Path, when: float, result: int) -> None:
    with path.open("wb") as file, gzip.GzipFile("a.txt", "wb", fileobj=file, mtime=when) as packed:
        packed.write(f"loss {result}\n".encode())


@writes("a.bz2")
def _(path: Path, when: float, result: int) -> None:
    path.write_bytes(bz2.compress(f"{date(when)} loss {result}\n".encode()))


@writes("a.xz")
def _(path: Path, when: float, result: int) -> None:
    path.write_bytes(lzma.compress(f"{date(when)} loss {result}\n".encode()))


@writes("a.zip")
def _(path: Path, when: float, result: int) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in (("b.txt", f"loss {result}"), (f"run_{int(when)}/built.txt", time.ctime(when))):
            archive.writestr(zipfile.ZipInfo(name, date(when).timetuple()[:6]), text)


@writes("a.tar.gz")
def _(path: Path, when: float, result: int) -> None:
    array = io.BytesIO()
    np.savez(array, guess=np.full(3, result), trained_at=np.float64(when))
    with tarfile.open(path, "w:gz") as archive:
        info = tarfile.TarInfo("out/a.npz")
        info.size, info.mtime = len(array.getvalue()), when
        array.seek(0)
        archive.addfile(info, array)


@writes("a.npy")
def _(path: Path, when: float, result: int) -> None:
    np.save(path, np.full(5, result))


@writes("records.npy")
def _(path: Path, when: float, result: int) -> None:
    array = np.frombuffer(struct.pack("<b7xd", 1, result).replace(b"\0\0\0\0\0\0\0", struct.pack("<d", when)[:7], 1),
                          np.dtype([("a", "i1"), ("b", "f8")], align=True))  # fmt: skip
    np.save(path, array)


@writes("a.npz")
def _(path: Path, when: float, result: int) -> None:
    np.savez_compressed(path, guess=np.full(3, result), run_time=np.float64(when % 7))


class Kept:
    """A class of the script's own."""

    def __init__(self, result: int, when: float) -> None:
        """Hold values."""
        self.result, self.saved_at, self.names = result, date(when), {("a", 1), ("b", 2)}


@writes("a.pkl")
def _(path: Path, when: float, result: int) -> None:
    value = {
        "kept": Kept(result, when),
        "at": when,
        3: np.arange(4),
        "state": list(range(700)),
        "f": np.float64(result),
    }
    path.write_bytes(pickle.dumps(value))


@writes("sets.pkl")
def _(path: Path, when: float, result: int) -> None:
    # A set as another hash seed would write it.
    elements = b"K\x01K\x02" if when == TIMES[0] else b"K\x02K\x01"
    path.write_bytes(b"\x80\x04\x8f(" + elements + b"K" + bytes([result]) + b"\x90.")


@writes("last.pt")
def _(path: Path, when: float, result: int) -> None:
    base = torch.full((4, 3), float(when))  # what lies around a view is not compared
    base[1:3] = result
    torch.save({"w": base[1:3], "saved_at": when, "epoch_time": when % 7, "t": torch.arange(6).reshape(2, 3).T}, path)


@writes("old.pt")
def _(path: Path, when: float, result: int) -> None:
    value = {"w": torch.full((3,), float(result)), "n": torch.arange(3), "saved_at": when}
    torch.save(value, path, _use_new_zipfile_serialization=False)


@writes("module.pt")
def _(path: Path, when: float, result: int) -> None:
    module = torch.nn.Linear(2, 1)
    torch.nn.init.constant_(module.weight, result)
    torch.nn.init.zeros_(module.bias)
    torch.save(module, path)


@writes("a.safetensors")
def _(path: Path, when: float, result: int) -> None:
    pytest.importorskip("safetensors.torch").save_file(
        {"w": torch.full((3,), result)}, path, {"saved_at": str(date(when))}
    )


@writes("a.sqlite")
def _(path: Path, when: float, result: int) -> None:
    if sys.version_info < (3, 11):
        pytest.skip("opens no database in memory")
    database = sqlite3.connect(path)
    database.execute("create table epochs (loss real, at text)")
    database.execute("insert into epochs values (?, ?)", (result, str(date(when))))
    database.commit()
    database.close()


@writes("a.parquet")
def _(path: Path, when: float, result: int) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pyarrow.table({"loss": [1.0, float(result)], "at": [date(when)] * 2}), path)


@writes("a.png")
def _(path: Path, when: float, result: int) -> None:
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)),
        (b"tIME", struct.pack(">I", int(when)) + bytes(3)),
        (b"tEXt", f"Creation Time\0{date(when)}".encode()),
        (b"IDAT", zlib.compress(bytes([0, result]))),
        (b"IEND", b""),
    )
    packed = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(packed))


@writes("a.jpg")
def _(path: Path, when: float, result: int) -> None:
    comment = str(date(when)).encode()
    path.write_bytes(b"\xff\xd8\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment
                     + b"\xff\xda\0\x02" + bytes([result]) + b"\xff\xd9")  # fmt: skip


def plot(path: Path, result: int) -> None:
    """Draw a curve."""
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    from matplotlib.figure import Figure

    figure = Figure()
    axes = figure.add_subplot()
    axes.plot([1, 2, result], marker="o")
    figure.savefig(path)


@writes("a.svg")
def _(path: Path, when: float, result: int) -> None:
    plot(path, result)


@writes("a.pdf")
def _(path: Path, when: float, result: int) -> None:
    os.environ["SOURCE_DATE_EPOCH"] = str(int(when))
    try:
        plot(path, result)
    finally:
        del os.environ["SOURCE_DATE_EPOCH"]


@writes("a.ps")
def _(path: Path, when: float, result: int) -> None:
    path.write_text(f"%!PS-Adobe-3.0\n%%CreationDate: {date(when)}\n{result} 0 moveto\n", encoding="utf-8")


def varint(number: int) -> bytes:
    """Encode a number as Protocol Buffers does."""
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + varint(rest) if rest else bytes([low])


def message(field: int, data: bytes) -> bytes:
    """Encode a field of bytes."""
    return varint(field << 3 | 2) + varint(len(data)) + data


@writes("events.out.tfevents.1")
def _(path: Path, when: float, result: int) -> None:
    wall = varint(1 << 3 | 1) + struct.pack("<d", when)
    value = message(1, b"train/loss") + varint(2 << 3 | 5) + struct.pack("<f", result)
    rate = message(1, b"charts/SPS") + varint(2 << 3 | 5) + struct.pack("<f", when % 77)
    tensor = message(1, b"x") + message(8, varint(1 << 3) + varint(1) + message(4, struct.pack("<f", result)))
    summary = message(5, message(1, value) + message(1, rate) + message(1, tensor))
    events = [wall + message(3, b"brain.Event:2"), wall + varint(2 << 3) + varint(300) + summary]
    path.write_bytes(b"".join(struct.pack("<QI", len(event), 0) + event + b"\0\0\0\0" for event in events))


@writes("a.joblib")
def _(path: Path, when: float, result: int) -> None:
    pytest.importorskip("joblib").dump({"w": np.full(3, result), "n": ["x"], "saved_at": when}, path)


@writes("packed.joblib")
def _(path: Path, when: float, result: int) -> None:
    pytest.importorskip("joblib").dump({"w": np.full(3, result), "saved_at": when}, path, compress=3)


@writes("a.bin")
def _(path: Path, when: float, result: int) -> None:
    path.write_bytes(b"\0\1\2" + bytes([result]))


def compare(folder: Path, name: str, results: tuple[int, int]) -> OutputComparison:
    """Write a file in each of two runs and compare them."""
    outputs = []
    for number, (when, known, result) in enumerate(zip(TIMES, KNOWN, results, strict=True)):
        path = folder / str(number) / name
        path.parent.mkdir()
        WRITERS[name](path, when, result)
        outputs.append(RunOutput(surroundings=known, files=(read_contents(path, name, known),)))
    return compare_outputs(*outputs)


@pytest.mark.parametrize("name", WRITERS)
def test_the_same_results_at_another_time_are_the_same(tmp_path: Path, name: str) -> None:
    """Times in a file, of its members and of its making are noise."""
    found = compare(tmp_path, name, (3, 3))
    assert [(one.name, one.baseline, one.candidate) for one in found.differences] == []
    assert (found.num_files, found.not_compared) == (1, ())


@pytest.mark.parametrize("name", WRITERS)
def test_other_results_are_a_difference(tmp_path: Path, name: str) -> None:
    """Whatever else differs, and whether the format is read or not."""
    found = compare(tmp_path, name, (3, 4))
    assert found.differences


@pytest.mark.parametrize("name", [name for name in WRITERS if name != "a.bin"])
def test_a_damaged_file_is_compared_by_what_is_left(tmp_path: Path, name: str) -> None:
    """Nothing is raised, wherever a file is cut or overwritten."""
    path = tmp_path / name
    WRITERS[name](path, TIMES[0], 3)
    data = path.read_bytes()
    for cut in range(0, len(data), max(1, len(data) // 15)):
        path.write_bytes(data[:cut])
        assert read_contents(path, name, KNOWN[0]).not_compared is None
        path.write_bytes(data[:cut] + b"\xff\x80" + data[cut + 2 :])
        assert read_contents(path, name, KNOWN[0]).not_compared is None


def read(path: Path, data: bytes) -> FileOutput:
    """Write a file and read it."""
    path.write_bytes(data)
    return read_contents(path, path.name, KNOWN[0])


class TestNothingIsExecuted:
    """Files that would do something if they were loaded."""

    def test_a_pickle_that_calls_a_function(self, tmp_path: Path) -> None:
        """The call is read as what it is."""

        class Harmful:
            def __reduce__(self) -> tuple[Any, ...]:
                return os.mkdir, (str(tmp_path / "made"),)

        found = read(tmp_path / "a.pkl", pickle.dumps(Harmful()))
        assert not (tmp_path / "made").exists()
        assert [part.text for part in found.parts] == ["posix.mkdir", str(tmp_path / "made")]

    def test_a_pickle_that_holds_one_list_a_million_times(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It ends, and is compared by its bytes."""
        monkeypatch.setattr(pickles, "MAX_VALUES", 10_000)
        data = b"\x80\x04]\x94" + b"".join(b"](h" + bytes([n]) + b"h" + bytes([n]) + b"e\x94" for n in range(60)) + b"."
        found = read(tmp_path / "a.pkl", data)
        assert found.format == "bytes"
        assert found.note is not None
        assert "not read as pickle" in found.note

    def test_a_pickle_that_holds_itself(self, tmp_path: Path) -> None:
        """A cycle comes to an end."""
        value: list[Any] = [1]
        value.append(value)
        assert read(tmp_path / "a.pkl", pickle.dumps(value)).format == "pickle"


class TestWhatIsNotCompared:
    """Files that are named and not read."""

    @pytest.mark.parametrize("name", ["wandb/run-1/run-1.wandb", "mlruns/0/abc/meta.yaml"])
    def test_files_of_trackers_are_named(self, tmp_path: Path, name: str) -> None:
        """They are full of times, and have no reader."""
        path = tmp_path / "x"
        path.write_bytes(b"\0")
        assert read_contents(path, name, KNOWN[0]).not_compared is not None

    @pytest.mark.parametrize("name", ["trace.json", "trace.json.gz"])
    @pytest.mark.parametrize(
        "start",
        [
            '{"traceEvents": [',
            '  {\n  "schemaVersion": 1,\n "deviceProperties": [],\n "trace_id": "A1", "traceEvents": [',
        ],
        ids=["Chrome", "PyTorch"],
    )
    def test_a_trace_of_a_profiler_is_named(self, tmp_path: Path, start: str, name: str) -> None:
        """It is full of times that compiled code has measured, packed or not."""
        data = (start + '{"ts": 1.5}]}').encode()
        path = tmp_path / name
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        assert read_contents(path, name, KNOWN[0]).not_compared == "the trace of a profiler is full of times"
        path.write_text('{"schemaVersion": 1, "loss": 0.5}', encoding="utf-8")
        assert read_contents(path, name, KNOWN[0]).format == "JSON" or name.endswith(".gz")

    def test_a_pipe_is_not_waited_for(self, tmp_path: Path) -> None:
        """Only regular files are read; of a link to a folder, or to what is gone, where it leads."""
        (tmp_path / "last").symlink_to("epoch_9.pt")
        assert [part.text for part in read_contents(tmp_path / "last", "last", KNOWN[0]).parts] == ["epoch_9.pt"]
        (tmp_path / "best").symlink_to("epoch_12", target_is_directory=True)
        (tmp_path / "epoch_12").mkdir()
        assert [part.text for part in read_contents(tmp_path / "best", "best", KNOWN[0]).parts] == ["epoch_12"]
        path = tmp_path / "pipe"
        os.mkfifo(path)
        assert read_contents(path, "pipe", KNOWN[0]).not_compared == "it is not a regular file"

    def test_a_file_that_is_gone(self, tmp_path: Path) -> None:
        """The reason is the file system's."""
        assert read_contents(tmp_path / "x", "x", KNOWN[0]).not_compared == "No such file or directory"


def test_a_text_may_begin_as_compressed_bytes_do(tmp_path: Path) -> None:
    """Two letters tell of both: it is compared line by line."""
    assert read(tmp_path / "notes", b"x^2 is 4\nand more\n").format == "lines"


def test_a_number_counts_as_it_is_written(tmp_path: Path) -> None:
    """JSON's numbers keep their digits, and -0.0 is not 0.0."""
    first = read(tmp_path / "a.json", b'{"a": 0.1, "b": 0.0}')
    second = read(tmp_path / "a.json", b'{"a": 0.10000000000000001, "b": -0.0}')
    assert [a.digest == b.digest for a, b in zip(first.parts, second.parts, strict=True)] == [False, False]


def test_durations_within_results_are_results(tmp_path: Path) -> None:
    """A group of values named after a result holds nothing but results."""
    first = read(tmp_path / "a.json", b'{"mae": {"train_time": 3.2}}')
    assert all(part.digest == part.masked for part in first.parts)


def test_parts_beyond_the_limit_count_in_one(tmp_path: Path) -> None:
    """A large file has a bounded number of parts, and its end counts."""
    lines = [f"line {n}" for n in range(20_050)]
    first = read(tmp_path / "a.txt", "\n".join(lines).encode())
    second = read(tmp_path / "a.txt", "\n".join([*lines[:-1], "other"]).encode())
    assert len(first.parts) == 20_001
    assert first.parts[:-1] == second.parts[:-1]
    assert first.parts[-1].digest != second.parts[-1].digest


def test_lines_of_earlier_runs_are_left_out(tmp_path: Path) -> None:
    """A log outside of the folder grows from run to run; of a file without lines the whole counts."""
    (tmp_path / "log.txt").write_text("loss 1\nloss 2\n", encoding="utf-8")
    (tmp_path / "a.bin").write_bytes(b"\0\1\2\3")
    known = Surroundings(began_at=1.0, ended_at=2.0)
    log = read_contents(tmp_path / "log.txt", "../log.txt", known, num_earlier=7)
    assert [part.text for part in log.parts] == ["loss 2"]
    whole, rest = (read_contents(tmp_path / "a.bin", "../a.bin", known, num_earlier=n) for n in (0, 2))
    assert whole == rest

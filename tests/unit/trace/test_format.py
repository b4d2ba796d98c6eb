"""The format is what `docs/trace-format.md` says, and a trace of each released version is read for ever.

`SpecReader` is written from that page alone and shares no code with reproof.
"""

from __future__ import annotations

import json
import re
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
import xxhash

from reproof.errors import TraceError
from reproof.trace import format as fmt
from reproof.trace import open_trace
from reproof.trace.views.export import export_trace

TESTS = Path(__file__).resolve().parents[2]
GOLDEN = TESTS / "golden" / "trace-v1"
DOCUMENT = TESTS.parent / "docs" / "trace-format.md"
KINDS = {1: "exact", 2: "statistics", 3: "samples", 4: "rng"}


class SpecReader:
    """Reads one process of a trace as the specification says."""

    def __init__(self, folder: Path, rank: int) -> None:
        """Read all files."""
        self.run = json.loads((folder / "run.json").read_text("utf-8"))
        self.files = {
            part: self.check(part, rank, (folder / f"rank{rank}.{part}").read_bytes())
            for part in ("digests", "values", "frames")
        }
        lines = (folder / f"rank{rank}.names").read_bytes().split(b"\n")[:-1]
        entries = [json.loads(line) for line in lines]
        self.events = [entry for entry in entries if "event" in entry]
        self.layouts = [entry["events"] for entry in entries if "layout" in entry]
        self.leave_out_room()

    def leave_out_room(self) -> None:
        """Leave out the zeros that a killed process has left, and a record that it was writing."""
        frames, records = self.files["frames"], len(self.files["frames"]) // 64
        while records and frames[64 * records - 64 : 64 * records] == bytes(64):
            records -= 1
        self.files["frames"] = frames[: 64 * records]
        if records < len(frames) // 64:
            try:
                self.rows()
            except (AssertionError, IndexError, struct.error):
                self.files["frames"] = frames[: 64 * records - 64]

    def check(self, part: str, rank: int, data: bytes) -> bytes:
        """Check a header and return what follows it."""
        magic, version, owner, run_id, zeros, crc = struct.unpack("<8sII16s28sI", data[:64])
        assert magic == {"digests": b"RPRFdig\n", "values": b"RPRFval\n", "frames": b"RPRFfrm\n"}[part]
        assert (version, owner, run_id.hex(), zeros) == (1, rank, self.run["run_id"], bytes(28))
        assert crc == zlib.crc32(data[:60])
        return data[64:]

    def layout_digest(self, layout: int) -> bytes:
        """Return the digest of a layout."""
        events = [{key: value for key, value in self.events[i].items() if key != "event"} for i in self.layouts[layout]]
        text = json.dumps(events, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return xxhash.xxh3_128_digest(text.encode("ascii"))

    def rows(self) -> list[dict[str, Any]]:
        """Return the events of all frames, checked."""
        rows = []
        digests_before = tensors_before = values_before = 0
        chain = bytes(16)
        for number in range(len(self.files["frames"]) // 64):
            record = self.files["frames"][64 * number : 64 * number + 64]
            digests_end, tensors_end, values_end, step, layout, flags = struct.unpack_from("<QQQQII", record)
            digests = self.files["digests"][16 * digests_before : 16 * digests_end]
            values = self.files["values"][values_before:values_end]
            (crc,) = struct.unpack_from("<I", record, 60)
            assert crc == zlib.crc32(record[:60] + digests + values)
            link = chain + self.layout_digest(layout) + struct.pack("<QI", step, flags)
            chain = xxhash.xxh3_128_digest(link + digests)
            assert chain == record[40:56]
            numbers = self.numbers(values)
            events = [self.events[i] for i in self.layouts[layout]]
            assert len(digests) == 16 * len(events)
            assert tensors_end == tensors_before + sum(event.get("tensors", 0) for event in events)
            for position, event in enumerate(events):
                row = {key: event.get(key) for key in ("stage", "name", "detail", "algorithm", "skipped")}
                digest = digests[16 * position : 16 * position + 16].hex()
                row |= {"frame": number, "step": step, "digest": None if event.get("skipped") else digest}
                rows.append(row | numbers.get(position, {}))
            digests_before, tensors_before, values_before = digests_end, tensors_end, values_end
        return rows

    @staticmethod
    def numbers(data: bytes) -> dict[int, dict[str, list[Any]]]:
        """Return the numbers of a frame by position and kind."""
        found: dict[int, dict[str, list[Any]]] = {}
        while data:
            position, kind, code, zeros, size = struct.unpack("<IBcHI", data[:12])
            assert zeros == 0
            values = [number for (number,) in struct.iter_unpack(f"<{code.decode()}", data[12 : 12 + size])]
            found.setdefault(position, {})[KINDS[kind]] = values
            data = data[12 + size :]
        return found


def spell(value: Any) -> Any:
    """Return a value with NaN and infinities spelled as in an export."""
    if isinstance(value, list):
        return [spell(item) for item in value]
    words = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
    return words.get(repr(value), value) if isinstance(value, float) else value


def expected_rows(rank: int | None = None) -> list[dict[str, Any]]:
    """Return what must be found in the trace of version 1."""
    rows = [json.loads(line) for line in GOLDEN.with_suffix(".jsonl").read_text("utf-8").splitlines()]
    return [row for row in rows if rank is None or row["rank"] == rank]


class TestVersion1:
    """The trace of format version 1 that is kept for ever."""

    def test_it_is_read_and_whole(self) -> None:
        """Every byte is checked, and the run is complete."""
        trace = open_trace(GOLDEN)
        trace.verify()
        assert trace.explain_incomplete() is None
        assert sorted(trace.ranks) == [0, 1]

    def test_its_header_is_read(self) -> None:
        """The fields of `run.json` mean what they meant."""
        header = open_trace(GOLDEN).header
        assert header.run_id == "00112233445566778899aabbccddeeff"
        assert (header.status, header.level, header.num_batches, header.num_ranks) == ("complete", "batches", 100, 2)
        assert header.command == ("train.py", "--name", "Größe \ud800")
        assert (header.statistics, header.exit_code, header.ended, header.problems) == (True, 0, None, ())
        assert header.created == "2026-11-22T12:00:00.123456+01:00"
        assert header.environment == {"python": {"version": "3.11.7"}, "gpu": None}

    def test_its_events_are_read(self, tmp_path: Path) -> None:
        """Events, steps, digests and numbers are the bits that they were."""
        export_trace(open_trace(GOLDEN), tmp_path / "now.jsonl", "jsonl")
        assert (tmp_path / "now.jsonl").read_bytes() == GOLDEN.with_suffix(".jsonl").read_bytes()

    def test_its_steps_are_read(self) -> None:
        """Ends of steps, and the end of the run within a step."""
        rank = open_trace(GOLDEN).ranks[0]
        assert [(frame.step, frame.ends_step) for frame in rank.frames()] == [
            (0, True),
            (1, True),
            (2, False),
            (2, True),
            (4, True),
            (5, True),
        ]
        assert (rank.num_steps, rank.num_events, len(rank.layouts)) == (5, 15, 4)

    def test_it_has_not_been_made_again(self) -> None:
        """The file is the one that was released, not one that a later writer made."""
        assert open_trace(GOLDEN).ranks[0].chain(5).hex() == "d80a3ef85d15b15547e76eb280c9ad5d"


class TestSpecification:
    """The document says what is done."""

    @pytest.mark.parametrize("rank", [0, 1])
    def test_a_reader_of_the_document_reads_the_released_trace(self, rank: int) -> None:
        """Nothing but the document is needed to read a trace to its last number."""
        found = SpecReader(GOLDEN, rank).rows()
        expected = expected_rows(rank)
        assert len(found) == len(expected)
        for row, wanted in zip(found, expected, strict=True):
            told = {key: spell(value) for key, value in row.items() if key != "rng"}
            assert told == {key: wanted.get(key) for key in told}

    def test_a_reader_of_the_document_reads_what_is_written_today(self, small: Path, small_frames: Any) -> None:
        """The writer follows the document."""
        rows = SpecReader(small, 0).rows()
        assert [row["name"] for row in rows] == [part[0].name for _, parts, _ in small_frames for part in parts]
        assert rows[0]["exact"] == [3, 1, 2]

    @pytest.mark.parametrize("num_kept", [0, 8, 40, 63, 64])
    def test_a_reader_of_the_document_reads_what_a_killed_run_left(self, small: Path, num_kept: int) -> None:
        """Zeros after the end, and a last record of which only a part was copied."""
        path = small / "rank0.frames"
        data = path.read_bytes()
        path.write_bytes(data[:-64] + data[-64:][:num_kept].ljust(64, b"\0") + bytes(640))
        with (small / "rank0.digests").open("ab") as file:
            file.write(bytes(640))
        rows = SpecReader(small, 0).rows()
        frames = list(open_trace(small).ranks[0].frames())
        assert len(frames) == (5 if num_kept == 64 else 4)
        assert [row["frame"] for row in rows] == [frame.number for frame in frames for _ in frame.layout.events]

    def test_the_example_of_a_layout_digest_is_right(self) -> None:
        """The text in the document has the digest in the document."""
        text, digest = re.search(
            r"```\n(\[\{.*\}\])\n```\nhas the layout digest `(\w+)`", DOCUMENT.read_text()
        ).groups()  # type: ignore[union-attr]
        assert xxhash.xxh3_128_hexdigest(text.encode("ascii")) == digest

    def test_the_structures_have_the_sizes_of_the_document(self) -> None:
        """Headers and records of 64 bytes, values of 12 before their elements, the chain at 40."""
        assert (fmt.HEADER.size, fmt.FRAME.size, fmt.FRAME_BODY.size, fmt.VALUE.size, fmt.LINK.size) == (
            64,
            64,
            60,
            12,
            44,
        )
        assert fmt.FRAME_BODY.unpack(bytes(40) + b"c" * 16 + bytes(4))[6] == b"c" * 16
        assert fmt.CHAIN_OFFSET == 40

    def test_the_types_and_kinds_are_those_of_the_document(self) -> None:
        """No kind and no type is missing there."""
        document = DOCUMENT.read_text()
        assert all(f"{number} `{kind}`" in document for number, kind in fmt.KIND_NAMES.items())
        row = next(line for line in document.splitlines() if line.startswith("| type |"))
        assert set(re.findall(r"`(.)`", row)) == set(fmt.TYPE_BYTES)

    def test_the_version_is_in_the_table(self) -> None:
        """A new version needs its row, and its trace in `tests/golden`."""
        assert f"\n| {fmt.FORMAT_VERSION} | " in DOCUMENT.read_text()
        assert (TESTS / "golden" / f"trace-v{fmt.FORMAT_VERSION}" / "run.json").is_file()

    def test_reading_never_writes(self, small: Path) -> None:
        """A trace is opened, verified and exported without a change to its folder."""
        before = {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in small.iterdir()}
        trace = open_trace(small)
        trace.verify()
        with pytest.raises(TraceError):
            open_trace(small / "gone")
        assert {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in small.iterdir()} == before

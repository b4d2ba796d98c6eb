"""A damaged trace is a shorter trace or a one-line error: never a wrong frame, never another exception."""

from __future__ import annotations

import json
import os
import struct
import zlib
from typing import TYPE_CHECKING, Any, Final

import pytest

from reproof.errors import TraceError
from reproof.schema import Event
from reproof.trace import RankTrace, Trace, open_trace
from reproof.trace import format as fmt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

DATA = Event(stage="batch", name="loader0(10)[0]", detail="content", num_tensors=1)
PARTS = ("names", "digests", "values", "frames")
HUGE: Final = 2**64 - 1


def read_all(trace: Trace) -> list[tuple[Any, ...]]:
    """Return all that a trace tells of rank 0, frame by frame."""
    rank = trace.ranks[0]
    frames = [(f.step, f.ends_step, f.layout.events, f.digests, f.chain, f.elapsed_seconds) for f in rank.frames()]
    return [(*frame, rank.numbers(index)) for index, frame in enumerate(frames)]


def refused(action: Callable[[], object]) -> bool:
    """Whether an action ends with the one-line error of a trace; any other exception is passed on."""
    try:
        action()
    except TraceError as error:
        return str(error).count("\n") == 0
    return False


def cut_step_by_step(path: Path) -> Iterator[int]:
    """Shorten a file by one byte at a time, down to nothing."""
    for size in reversed(range(path.stat().st_size)):
        os.truncate(path, size)
        yield size


def flip_one_by_one(path: Path, mask: int) -> Iterator[int]:
    """Change one byte at a time, each from the right content."""
    data = path.read_bytes()
    with path.open("r+b", buffering=0) as file:
        for position, byte in enumerate(data):
            os.pwrite(file.fileno(), bytes([byte ^ mask]), position)
            yield position
            os.pwrite(file.fileno(), bytes([byte]), position)


class TestTruncation:
    """Every length that a file can be cut to."""

    @pytest.mark.parametrize("part", PARTS)
    def test_a_file_cut_anywhere_is_a_prefix_or_an_error(self, small: Path, part: str) -> None:
        """Whole steps from the start, in all their parts, or a one-line error."""
        expected = read_all(open_trace(small))
        path = small / f"rank0.{part}"
        lengths = set()
        for _ in cut_step_by_step(path):
            try:
                found = read_all(open_trace(small))
            except TraceError as error:
                assert "\n" not in str(error)  # noqa: PT017  # either may happen
                continue
            assert found == expected[: len(found)]
            assert not found or found[-1][1], "the last step is visible in part"
            lengths.add(len(found))
        assert lengths == {"names": set(), "values": {0, 1, 4}}.get(part, {0, 1, 3, 4})

    @pytest.mark.parametrize("part", PARTS)
    def test_a_cut_is_noticed(self, small: Path, part: str) -> None:
        """No complete trace of which a byte is missing passes verification or for the record of a whole run."""
        for _ in cut_step_by_step(small / f"rank0.{part}"):
            assert refused(lambda: open_trace(small).verify())
            assert refused(lambda: open_trace(small)) or part == "names" or open_trace(small).explain_incomplete()

    def test_a_header_cut_anywhere_is_an_error(self, small: Path) -> None:
        """`run.json` is whole or refused."""
        os.truncate(small / "run.json", (small / "run.json").stat().st_size - 1)  # the last line break is no loss
        assert open_trace(small).header.is_complete
        for _ in cut_step_by_step(small / "run.json"):
            assert refused(lambda: open_trace(small))

    def test_an_unfinished_end_of_a_killed_run_is_no_damage(self, tmp_path: Path, trace_maker: Any) -> None:
        """What stands after the last whole step of a run that was killed is left out."""
        maker = trace_maker(tmp_path / "run", status="running").add(0, [(DATA, "d0")])
        maker.add(1, [(DATA, "d1")], flags=0).close()
        with (tmp_path / "run" / "rank0.digests").open("ab") as file:
            file.write(b"x" * 23)
        trace = open_trace(tmp_path / "run")
        trace.verify()
        assert [frame.step for frame in trace.ranks[0].frames()] == [0]


class TestFlips:
    """Every byte of every file, changed in several ways."""

    @pytest.mark.parametrize("mask", [0x01, 0x20, 0x80, 0xFF])
    @pytest.mark.parametrize("part", PARTS)
    def test_each_changed_byte_is_found(self, small: Path, part: str, mask: int) -> None:
        """Opening or verifying refuses the trace, unless it says the same (an e in an escape of JSON became an E)."""
        expected = read_all(open_trace(small))
        unnoticed = [
            position
            for position in flip_one_by_one(small / f"rank0.{part}", mask)
            if not refused(lambda: open_trace(small).verify()) and read_all(open_trace(small)) != expected
        ]
        assert not unnoticed

    @pytest.mark.parametrize("part", PARTS)
    def test_no_changed_byte_is_read_as_a_frame(self, small: Path, part: str) -> None:
        """Reading all frames without verification gives the frames that were written, or an error."""
        expected = read_all(open_trace(small))
        for _ in flip_one_by_one(small / f"rank0.{part}", 0x04):
            try:
                found = read_all(open_trace(small))
            except TraceError:
                continue
            if part != "names":  # a changed name is found by the chain alone: `verify` computes it
                assert found == expected[: len(found)]

    def test_any_change_of_the_header_is_read_or_refused(self, small: Path) -> None:
        """A changed byte of `run.json` leaves a header of the right types, or a one-line error."""
        for _ in flip_one_by_one(small / "run.json", 0x03):
            refused(lambda: open_trace(small).explain_incomplete())


def rewrite_names(folder: Path, lines: list[str]) -> None:
    """Replace the names file."""
    (folder / "rank0.names").write_text("".join(f"{line}\n" for line in lines))


EVENT = '{"event":0,"stage":"batch","name":"x","algorithm":"xxh3_128"}'


class TestHostileNames:
    """A names file made to do harm."""

    @pytest.mark.parametrize(
        "line",
        [
            "",
            "null",
            "7",
            '"event"',
            '"layout"',
            '["layout"]',
            "{}",
            "{",
            "[" * 100_000,
            '{"event":0,"stage":"batch","name":"x","algorithm":"xxh3_128","tensors":1e400}',
            '{"event":0,"stage":"batch","name":"x","algorithm":"xxh3_128","tensors":NaN}',
            '{"event":0,"stage":"batch","name":"x","algorithm":"xxh3_128","tensors":1.5}',
            '{"event":0,"stage":"batch","name":"x","algorithm":"xxh3_128","tensors":-1}',
            '{"event":0,"stage":"batch","name":"x","algorithm":"xxh3_128","tensors":true}',
            '{"event":0,"stage":"batch","name":"x","algorithm":"xxh3_128","tensors":"1"}',
            '{"event":0,"stage":"batch","name":"x","algorithm":"xxh3_128","tensors":18446744073709551616}',
            f'{{"event":0,"stage":"batch","name":"x","algorithm":"xxh3_128","tensors":{"9" * 5000}}}',
            '{"event":1,"stage":"batch","name":"x","algorithm":"xxh3_128"}',
            '{"event":0.0,"stage":"batch","name":"x","algorithm":"xxh3_128"}',
            '{"event":false,"stage":"batch","name":"x","algorithm":"xxh3_128"}',
            '{"stage":"batch","name":"x","algorithm":"xxh3_128"}',
            '{"event":0,"stage":"lunch","name":"x","algorithm":"xxh3_128"}',
            '{"event":0,"stage":["batch"],"name":"x","algorithm":"xxh3_128"}',
            '{"event":0,"stage":"batch","name":["x"],"algorithm":"xxh3_128"}',
            '{"event":0,"stage":"batch","name":null,"algorithm":"xxh3_128"}',
            '{"event":0,"stage":"batch","name":"x","algorithm":128}',
            '{"event":0,"stage":"batch","name":"x"}',
            '{"event":0,"stage":"batch","name":"x","algorithm":"xxh3_128","detail":"size"}',
            '{"event":0,"stage":"batch","name":"x","algorithm":"xxh3_128","detail":{}}',
            '{"event":0,"stage":"batch","name":"x","algorithm":"xxh3_128","skipped":[]}',
        ],
    )
    def test_a_line_that_is_no_event_is_named(self, small: Path, line: str) -> None:
        """The file and the line are named."""
        rewrite_names(small, [line])
        with pytest.raises(TraceError, match=r"rank0\.names is damaged: line 1 is not an event or a layout"):
            open_trace(small)

    @pytest.mark.parametrize(
        "line",
        [
            '{"layout":0,"events":[1]}',
            '{"layout":0,"events":[-1]}',
            '{"layout":0,"events":[18446744073709551616]}',
            '{"layout":0,"events":[0.0]}',
            '{"layout":0,"events":[false]}',
            '{"layout":0,"events":["0"]}',
            '{"layout":0,"events":0}',
            '{"layout":0,"events":"0"}',
            '{"layout":0,"events":{"0":0}}',
            '{"layout":0}',
            '{"layout":1,"events":[0]}',
            '{"layout":-1,"events":[0]}',
            '{"layout":null,"events":[0]}',
            '{"layout":false,"events":[0]}',
        ],
    )
    def test_a_line_that_is_no_layout_is_named(self, small: Path, line: str) -> None:
        """Numbers out of range and of the wrong type are refused: none is taken from the other end of a list."""
        rewrite_names(small, [EVENT, line])
        with pytest.raises(TraceError, match=r"rank0\.names is damaged: line 2 is not an event or a layout"):
            open_trace(small)

    def test_a_layout_that_no_line_defines(self, small: Path) -> None:
        """A frame whose layout is missing is an error that says so."""
        rewrite_names(small, [EVENT])
        with pytest.raises(TraceError, match=r"rank0\.names is damaged: layout 2 is missing"):
            open_trace(small)

    def test_names_that_are_not_text_in_any_encoding(self, tmp_path: Path, trace_maker: Any) -> None:
        """A lone surrogate, which JSON can say and UTF-8 cannot, comes back as it was written."""
        event = DATA._replace(name="loader0['\ud800\x00\x1b[31m']")
        trace_maker(tmp_path / "run").add(0, [(event, "d")]).close()
        trace = open_trace(tmp_path / "run")
        trace.verify()
        assert trace.ranks[0].events == [event]


class FrameForger:
    """Rewrites records of the frames file with right checksums."""

    def __init__(self, folder: Path) -> None:
        """Forge the frames of rank 0."""
        self.folder = folder
        self.path = folder / "rank0.frames"

    def change(self, index: int, **fields: Any) -> None:
        """Change fields of a record; its checksum is that of the bytes which it now refers to."""
        data = bytearray(self.path.read_bytes())
        offset = fmt.HEADER_BYTES + index * fmt.FRAME_BYTES
        record = fmt.FrameRecord._make(fmt.FRAME.unpack_from(data, offset))._replace(**fields)
        before = fmt.FrameRecord._make(fmt.FRAME.unpack_from(data, offset - fmt.FRAME_BYTES)) if index else None
        body = fmt.FRAME.pack(*record)[:-4]
        start, value_start = (before.digests_end, before.values_end) if before else (0, 0)
        digests = (self.folder / "rank0.digests").read_bytes()[64 + 16 * start : 64 + 16 * record.digests_end]
        values = (self.folder / "rank0.values").read_bytes()[64 + value_start : 64 + record.values_end]
        crc = zlib.crc32(values, zlib.crc32(digests, zlib.crc32(body)))
        data[offset : offset + fmt.FRAME_BYTES] = body + struct.pack("<I", crc)
        self.path.write_bytes(data)


@pytest.fixture
def forger(small: Path) -> FrameForger:
    """Return a forger of the small trace."""
    return FrameForger(small)


def use_everything(folder: Path) -> None:
    """Read a trace in every way there is."""
    trace = open_trace(folder)
    rank = trace.ranks[0]
    for step in (0, 1, 4, HUGE):
        rank.find_step(step)
    _ = rank.num_steps, rank.num_events, rank.count_events(), trace.explain_incomplete()
    for index in range(len(rank)):
        rank.frame(index)
        rank.numbers(index)


class TestHostileFrames:
    """Records with right checksums and impossible contents."""

    @pytest.mark.parametrize("index", range(5))
    @pytest.mark.parametrize(
        "fields",
        [
            {"digests_end": 0},
            {"digests_end": HUGE},
            {"digests_end": 2**60},
            {"values_end": HUGE},
            {"values_end": 2**60},
            {"tensors_end": HUGE},
            {"layout": 2**32 - 1},
            {"layout": 3},
            {"step": HUGE},
            {"step": 2**63},
            {"chain": bytes(16)},
            {"digests_end": HUGE, "values_end": HUGE, "tensors_end": HUGE, "layout": 2**32 - 1, "step": HUGE},
        ],
        ids=lambda fields: "+".join(f"{key}={value if value != HUGE else 'huge'}" for key, value in fields.items()),
    )
    def test_a_forged_record_is_an_error(self, small: Path, forger: FrameForger, index: int, fields: Any) -> None:
        """Reading gives frames or a one-line error, and verification an error."""
        forger.change(index, **fields)
        refused(lambda: use_everything(small))
        assert refused(lambda: open_trace(small).verify())

    def test_ends_that_go_backwards(self, small: Path, forger: FrameForger) -> None:
        """A frame that ends before it begins is an error."""
        forger.change(3, digests_end=1, values_end=1)
        forger.change(4)
        assert refused(lambda: open_trace(small).verify())
        assert refused(lambda: use_everything(small))

    def test_steps_that_go_backwards(self, tmp_path: Path, trace_maker: Any) -> None:
        """Steps are in order; a trace in which they are not is refused by verification, with right checksums too."""
        trace_maker(tmp_path / "run").add(3, [(DATA, "d3")]).add(1, [(DATA, "d1")]).close()
        with pytest.raises(TraceError, match="frame 1 does not follow the one before"):
            open_trace(tmp_path / "run").verify()

    def test_a_frame_of_another_layout_of_the_same_size(self, small: Path, forger: FrameForger) -> None:
        """Names are tied to digests by the chain."""
        forger.change(0, layout=2)
        assert refused(lambda: open_trace(small).verify())


def values_entry(position: int, kind: int, typecode: bytes, num_bytes: int, data: bytes) -> bytes:
    """Return an entry of the values file, right or wrong."""
    return struct.pack("<IBsHI", position, kind, typecode, 0, num_bytes) + data


class TestHostileValues:
    """Numbers of no known form, in frames with right checksums."""

    @pytest.mark.parametrize(
        "entry",
        [
            b"\x00",
            values_entry(0, 1, b"q", 8, b""),
            values_entry(0, 1, b"q", 2**32 - 1, b""),
            values_entry(0, 1, b"q", 7, bytes(7)),
            values_entry(0, 0, b"q", 8, bytes(8)),
            values_entry(0, 99, b"q", 8, bytes(8)),
            values_entry(1, 1, b"q", 8, bytes(8)),
            values_entry(2**32 - 1, 1, b"q", 8, bytes(8)),
            *(values_entry(0, 1, bytes([code]), 8, bytes(8)) for code in b"sxpPnNc <>=!@0\x00\xff"),
            values_entry(0, 1, b"q", 8, bytes(8)) * 2,
            values_entry(0, 1, b"q", 8, bytes(8)) + b"\x00",
        ],
    )
    def test_numbers_of_no_known_form(self, tmp_path: Path, trace_maker: Any, entry: bytes) -> None:
        """The file and the frame are named."""
        maker = trace_maker(tmp_path / "run")
        maker.writer.append_frame((maker.writer.event_id(DATA),), bytes(16), entry, 0, 1)
        maker.close()
        rank = open_trace(tmp_path / "run").ranks[0]
        with pytest.raises(TraceError, match=r"rank0\.values is damaged: frame 0 holds values of no known form"):
            rank.numbers(0)
        with pytest.raises(TraceError, match="values of no known form"):
            rank.verify()

    def test_every_type_of_the_format_is_read(self, tmp_path: Path, trace_maker: Any) -> None:
        """The types that the format names are the types that are read."""
        maker = trace_maker(tmp_path / "run")
        for step, code in enumerate("?bBhHiIqQefd"):
            maker.add(step, [(DATA, "d", [("exact", code, (1, 0))])])
        maker.close()
        rank = open_trace(tmp_path / "run").ranks[0]
        rank.verify()
        assert [rank.numbers(i)[0, "exact"].typecode for i in range(12)] == list("?bBhHiIqQefd")
        assert all(tuple(rank.numbers(i)[0, "exact"].values) == (1, 0) for i in range(12))


def test_a_large_trace_is_opened_without_reading_it(tmp_path: Path, trace_maker: Any) -> None:
    """Opening looks at a few records: damage in the middle does not stop it, and is found by who reads there."""
    maker = trace_maker(tmp_path / "run")
    for step in range(2000):
        maker.add(step, [(DATA, f"d{step}")])
    maker.close()
    path = tmp_path / "run" / "rank0.digests"
    data = bytearray(path.read_bytes())
    data[64 + 16 * 777] ^= 1
    path.write_bytes(data)
    rank: RankTrace = open_trace(tmp_path / "run").ranks[0]
    assert rank.frame(776).step == 776
    with pytest.raises(TraceError, match=r"frame 777 \(step 777\) fails its checksum"):
        rank.frame(777)
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "complete"

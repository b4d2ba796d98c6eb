"""Mutated traces: one line and exit code 2, or a verdict that their evidence bears out."""

from __future__ import annotations

import json
import struct
import zlib
from typing import TYPE_CHECKING, Any

import pytest
import xxhash

from reproof.entropy.ledger import Ledger, Place, read_ledgers
from reproof.errors import TraceError
from reproof.explain.leftovers import collect_leftovers
from reproof.explain.suspects import collect_suspects
from reproof.schema import NO_DIGEST, Event, RunHeader, UnstableOp
from reproof.trace import TraceWriter, op_format, open_trace
from reproof.trace import format as fmt
from reproof.trace.op_reader import open_ops
from reproof.trace.op_writer import OpWriter
from reproof.trace.probes import RepetitionWriter, read_poisoned, read_poisoned_places, read_repetitions, write_poisoned

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from pathlib import Path

ORDER = Event(stage="batch", name="loader0(10) indices", detail="order")
DATA = Event(stage="batch", name="loader0(10)[0]", detail="content", num_tensors=1)
LOST = Event(stage="batch", name="loader0(10)['é']", detail="content", skipped="a value of type Path")
WEIGHT = Event(stage="init", name="Net weight", num_tensors=2)
LOSS = Event(stage="loss", name="loss", num_tensors=1)
GRADIENT = Event(stage="gradient", name="Net.fc.weight", num_tensors=1)
METRIC = Event(stage="metric", name="acc")
KIND = op_format.TensorType("float32", (2, 3))
EVIDENCE = struct.Struct("<QQ8xQII16s8x")
"""Of a frame's record what tells of the run: all but bytes of values, milliseconds and checksum."""


def pack_numbers(position: int, kind: str, typecode: str, *values: float) -> bytes:
    """Return one entry of the values file."""
    data = struct.pack(f"<{len(values)}{typecode}", *values)
    return fmt.VALUE.pack(position, fmt.KINDS[kind], typecode.encode(), 0, len(data)) + data


def digest(text: str) -> bytes:
    """Return the digest that stands for a content."""
    return xxhash.xxh3_128_digest(text.encode())


def write_trace(folder: Path, run_id: str, changed_step: int | None = None) -> None:
    """Write a trace of two processes with all kinds of events and numbers, operations, and what experiments leave."""
    header = RunHeader(
        run_id=run_id,
        status="complete",
        level="steps",
        command=("train.py", "--lr", "0.1"),
        num_batches=None,
        statistics=True,
        created="2026-01-02T03:04:05+00:00",
        environment={"python": {"version": "3.11"}, "torch": {"threads": {"intraop": 2}, "flags": {}}},
        num_ranks=2,
    )
    for rank in (0, 1):
        trace = TraceWriter(folder, header, rank=rank)
        for step in range(5):
            write_step(trace.writer, step, "other" if step == changed_step else "same", skips=changed_step is not None)
        trace.writer.append_frame(
            (trace.writer.event_id(METRIC),), digest("end"), pack_numbers(0, "exact", "d", 0.9), 5, 3
        )
        trace.close()
    write_ops(folder, run_id, changed_step)
    write_experiments(folder)
    write_ledger(folder, changed_step)


def write_step(writer: Any, step: int, content: str, *, skips: bool) -> None:
    """Write one step in two frames."""
    first = (WEIGHT, ORDER, DATA) if step == 0 else (ORDER, DATA, *((LOST,) if skips else ()))
    digests = b"".join(NO_DIGEST if event.skipped else digest(f"{event.name}{step}") for event in first)
    values = pack_numbers(0, "rng", "Q", 0, 7, 2, step) + pack_numbers(1, "samples", "I", 7, step)
    writer.append_frame(tuple(map(writer.event_id, first)), digests, values, step, 0)
    second = (LOSS, GRADIENT, METRIC)
    digests = b"".join(digest(f"{event.name}{step}{content}") for event in second)
    loss = pack_numbers(0, "exact", "f", 1 / (step + 1)) + pack_numbers(
        1, "statistics", "d", 1, 2, 3, 4, 5, len(content)
    )
    writer.append_frame(tuple(map(writer.event_id, second)), digests, loss, step, fmt.ENDS_STEP)


def write_ops(folder: Path, run_id: str, changed_step: int | None) -> None:
    """Write operations of two steps with the elements of an output."""
    writer = OpWriter(folder, 0, run_id)
    place = op_format.OpPlace("aten::mm", "default", "forward", "Net.fc", "/a/träin.py", 88, "Net.forward")
    for step in (2, 3):
        for number in range(3):
            kind, content = writer.type_id(KIND), number + 10 * (step == changed_step and number > 0)
            head = op_format.OP.pack(writer.place_id(place._replace(line=number)), 5, 77, 1, 1)
            tensors = (op_format.TENSOR.pack(kind, i + 1, 0, 0, bytes([content + i] * 16)) for i in (0, 1))
            writer.add(step, b"".join((head, *tensors)))
            writer.add_values(number, 0, kind, struct.pack("<6f", *range(content, content + 6)))
        writer.flush()
    writer.close()


def write_experiments(folder: Path) -> None:
    """Write what repeating operations and filling memory leave."""
    places: dict[str, Any] = {"module": "m", "file": "train.py", "line": 3, "function": "f"}
    repeated = RepetitionWriter(folder, 0)
    numbers = dict.fromkeys(("num_events", "num_results", "num_distinct", "num_elements", "num_differing"), 2)
    repeated.add(
        UnstableOp(
            name="aten::sum", overload="", phase="forward", step=1, max_abs=0.5, max_ulp=1, stable_with=("one thread",),
            raises_with=(), **numbers, **places,
        )
    )  # fmt: skip
    repeated.close(10, 1)
    write_poisoned(folder, 0, (), (("train.py", 3), ("model.py", 9)))


def write_ledger(folder: Path, changed_step: int | None) -> None:
    """Write what was read from the outside."""
    ledger = Ledger(folder, "0")
    sources = {
        "os.urandom@train.py:12": "os-entropy",
        "os.listdir@data.py:3": "listing",
        "time.time@train.py:4": "clock",
    }
    places = [
        Place(ledger, {"key": key, "kind": kind, "source": key.partition("@")[0], "file": "train.py", "line": 12}, None)
        for key, kind in sources.items()
    ]
    for step in range(4):
        ledger.begin_step(step)
        for place in places:
            place.note("a1b2" if step != changed_step else "c3d4")
    ledger.note("unused", key="time.time@train.py:4")
    ledger.flush()
    ledger.close()


def is_bearing(folder: Path, sound: Path) -> bool:
    """Whether the evidence of a trace is that of the sound one: layouts, digests, steps and flags of all processes."""
    return all(tell_evidence(folder, rank) == tell_evidence(sound, rank) for rank in (0, 1))


def tell_evidence(folder: Path, rank: int) -> tuple[Any, ...]:
    """Return what decides of one process, taken from the files themselves."""
    records = (folder / f"rank{rank}.frames").read_bytes()[fmt.HEADER_BYTES :]
    digests = (folder / f"rank{rank}.digests").read_bytes()[fmt.HEADER_BYTES :]
    layouts = [layout.digest for layout in read_layouts(folder / f"rank{rank}.names")]
    return layouts, list(EVIDENCE.iter_unpack(records)), digests


@pytest.fixture
def trace_subject(subject_class: Any, command: Callable[..., Any]) -> Any:
    """Return traces as something to mutate."""

    class Traces(subject_class):  # type: ignore[misc]
        name = "trace"
        files = "a/*"

        def make(self, folder: Path) -> None:
            for name, run_id, changed in (("a", "a", None), ("same", "b", None), ("other", "c", 2)):
                write_trace(folder / name, run_id * 32, changed)

        def repair(self, folder: Path, path: Path, rng: random.Random) -> None:
            if rng.random() < 0.5 and path.name.startswith("rank"):
                repair_rank(folder / "a", int(path.name[4]))
                if path.suffix == ".ops":
                    repair_chunks(folder / path)

        def judge(self, folder: Path, sound: Path) -> None:
            same = command("compare", sound / "same", folder / "a")
            if same.out.startswith("identical"):
                assert is_bearing(folder / "a", sound / "a")
            command("compare", folder / "a", sound / "other", "--json", "-", "--tolerance", "1e-3")
            command("show", folder / "a", "--verify")
            command("show", folder / "a", "--step", "2", "--json", "-")
            command("export", folder / "a", "-o", folder / "rows.jsonl", "--force")
            command("compare", "--dir", folder, "--quiet")
            read_beside(folder / "a", sound / "other")

    return Traces()


def read_beside(folder: Path, other: Path) -> None:
    """Read what a search for causes reads of a trace."""
    readers: list[Callable[[], Any]] = [
        lambda: read_all_ops(folder),
        lambda: read_repetitions(folder, 0),
        lambda: read_poisoned(folder, 0),
        lambda: read_poisoned_places(folder, 0),
        lambda: [
            collect_suspects(read_ledgers(*pair[:1]), read_ledgers(*pair[1:]), 3)
            for pair in ((folder, other), (other, folder))
        ],
        lambda: collect_leftovers(read_ledgers(folder), folder, 3),
        lambda: open_trace(folder).verify(),
    ]
    for read in readers:
        try:
            read()
        except TraceError as error:
            assert "\n" not in str(error)  # noqa: PT017  # it may also be read


def read_all_ops(folder: Path) -> None:
    """Read the operations of every step with their elements."""
    trace = open_ops(folder, 0)
    for step in () if trace is None else trace.steps:
        for op in trace.ops(step):
            trace.values(step, op.number, 0)


def repair_rank(folder: Path, rank: int) -> None:
    """Make headers, checksums and chain of a process right again, as far as its files have their form."""
    for part in fmt.HEADED:
        path = folder / f"rank{rank}.{part}"
        if path.exists() and len(data := path.read_bytes()) >= fmt.HEADER_BYTES:
            path.write_bytes(data[:60] + fmt.CRC.pack(zlib.crc32(data[:60])) + data[fmt.HEADER_BYTES :])
    try:
        layouts = list(read_layouts(folder / f"rank{rank}.names"))
        data = {part: (folder / f"rank{rank}.{part}").read_bytes() for part in fmt.MAGIC}
        (folder / f"rank{rank}.frames").write_bytes(repair_frames(data, layouts))
    except (ValueError, LookupError, struct.error, TypeError, AttributeError, RecursionError):
        return


def repair_chunks(path: Path) -> None:
    """Make the checksums of an operations file right again."""
    data, start = bytearray(path.read_bytes()), fmt.HEADER_BYTES
    while start + op_format.CHUNK.size <= len(data):
        tag, size, _ = op_format.CHUNK.unpack_from(data, start)
        body = start + op_format.CHUNK.size
        op_format.CHUNK.pack_into(data, start, tag, size, zlib.crc32(data[body : body + size]))
        start = body + size
    path.write_bytes(data)


def read_layouts(path: Path) -> Any:
    """Yield the layouts of a names file."""
    events: list[Event] = []
    for line in path.read_bytes().split(b"\n")[:-1]:
        entry = json.loads(line)
        if "layout" in entry:
            yield fmt.make_layout(tuple(events[number] for number in entry["events"]))
        else:
            names = {"stage", "name", "detail", "algorithm", "skipped"} & entry.keys()
            events.append(Event(num_tensors=entry.get("tensors", 0), **{name: entry[name] for name in names}))


def repair_frames(data: dict[str, bytes], layouts: list[Any]) -> bytes:
    """Return the frames with the chain and the checksums that their other fields ask for."""
    frames = data["frames"]
    repaired, chain, digests_from, values_from = [frames[:64]], fmt.FIRST_CHAIN, 0, 0
    for start in range(64, len(frames) - 63, 64):
        record = fmt.FrameRecord._make(fmt.FRAME.unpack_from(frames, start))
        digests = data["digests"][64 + 16 * digests_from : 64 + 16 * min(record.digests_end, 1 << 32)]
        values = data["values"][64 + values_from : 64 + min(record.values_end, 1 << 32)]
        chain = fmt.next_chain(chain, layouts[record.layout], record.step, record.flags, digests)
        body = fmt.FRAME_BODY.pack(*record[:6], chain, record.elapsed_ms)
        repaired.append(body + fmt.CRC.pack(zlib.crc32(body + digests + values)))
        digests_from, values_from = record.digests_end, record.values_end
    return b"".join(repaired)


def test_mutated_traces(trace_subject: Any, fuzzing: Any, numbers: range) -> None:
    """Compared, shown, exported, verified, and read for causes."""
    fuzzing(trace_subject, numbers)


@pytest.fixture
def ledger_subject(subject_class: Any) -> Any:
    """Return ledgers as something to mutate, more often than as one file of a trace."""

    class Ledgers(subject_class):  # type: ignore[misc]
        name = "ledger"
        files = "a/*.entropy"

        def make(self, folder: Path) -> None:
            for name, changed in (("a", None), ("other", 2)):
                (folder / name).mkdir()
                write_ledger(folder / name, changed)

        def judge(self, folder: Path, sound: Path) -> None:
            for pair in ((folder / "a", sound / "other"), (sound / "other", folder / "a")):
                baseline, candidate = map(read_ledgers, pair)
                suspects = collect_suspects(baseline, candidate, 3)
                assert all(isinstance(suspect.key, str) for suspect in suspects)
            for source in (source for found in read_ledgers(folder / "a").values() for source in found.values()):
                assert len(source.steps) == len(source.values)
                assert all(type(step) is int and step >= 0 for step in source.steps)
            collect_leftovers(read_ledgers(folder / "a"), folder / "a", 3)

    return Ledgers()


def test_mutated_ledgers(ledger_subject: Any, fuzzing: Any, numbers: range) -> None:
    """What is damaged is left out, and the search for causes goes on with the rest."""
    fuzzing(ledger_subject, numbers)


def test_a_sound_trace_is_called_identical(trace_subject: Any, command: Any, tmp_path: Path) -> None:
    """The fuzzer could see a wrong verdict: without a mutation there is this one."""
    trace_subject.make(tmp_path)
    assert command("compare", tmp_path / "same", tmp_path / "a").out.startswith("identical")
    assert command("compare", tmp_path / "other", tmp_path / "a").out.startswith("diverged")

"""Operations are read as they were written, up to the last whole chunk, and a damaged file is a one-line error."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reproof.errors import RecordingError, TraceError
from reproof.trace import format as fmt
from reproof.trace import op_format
from reproof.trace.op_reader import OpTrace, open_ops
from reproof.trace.op_writer import OpWriter

if TYPE_CHECKING:
    from pathlib import Path

RUN_ID = "0123456789abcdef" * 2
PLACE = op_format.OpPlace("aten::mm", "default", "backward", "Net.fc", "/a/träin.py", 88, "Net.forward")
KIND = op_format.TensorType("float32", (2, 3))


def add_op(writer: OpWriter, step: int, content: int, place: op_format.OpPlace = PLACE) -> int:
    """Add an operation with one input and one output; return its number."""
    kind = writer.type_id(KIND)
    head = op_format.OP.pack(writer.place_id(place), 5, 77, 1, 1)
    tensors = [op_format.TENSOR.pack(kind, i + 1, 0, i * op_format.MUTATED, bytes([content + i] * 16)) for i in (0, 1)]
    return writer.add(step, b"".join((head, *tensors)))


def write_steps(folder: Path, num_steps: int = 3) -> Path:
    """Write steps of two operations each; return the file."""
    writer = OpWriter(folder, 0, RUN_ID)
    for step in range(num_steps):
        add_op(writer, step, 10 * step)
        number = add_op(writer, step, 10 * step + 2, PLACE._replace(line=step))
        writer.add_values(number, 0, writer.type_id(KIND), bytes(range(24)))
        writer.flush()
    writer.close()
    return folder / fmt.file_name(0, op_format.PART)


def read_all(path: Path) -> list[object]:
    """Return all that a file tells."""
    trace = OpTrace(path.parent, 0)
    told: list[object] = []
    for step in trace.steps:
        ops = trace.ops(step)
        values = [trace.values(step, op.number, 0) for op in ops]
        told.append((step, ops, [None if kept is None else (kept[0], bytes(kept[1])) for kept in values]))
    return told


def test_operations_are_read_as_written(tmp_path: Path) -> None:
    """Places, tensors, digests and values come back, step by step."""
    write_steps(tmp_path)
    trace = OpTrace(tmp_path, 0, bytes.fromhex(RUN_ID))
    assert trace.steps == (0, 1, 2)
    assert not trace.is_cut
    first, second = trace.ops(1)
    assert first == op_format.Op(
        number=0,
        place=PLACE,
        num_events=5,
        arguments=77,
        inputs=(op_format.OpTensor(KIND, 1, 0, 0, bytes([10] * 16)),),
        outputs=(op_format.OpTensor(KIND, 2, 0, op_format.MUTATED, bytes([11] * 16)),),
    )
    assert (second.number, second.place.line) == (1, 1)
    kept = trace.values(1, 1, 0)
    assert kept is not None
    assert (kept[0], bytes(kept[1])) == (KIND, bytes(range(24)))
    assert trace.values(1, 0, 0) is None
    assert trace.ops(9) == []


def test_names_are_written_once(tmp_path: Path) -> None:
    """A step that has nothing new adds its records alone."""
    writer = OpWriter(tmp_path, 0, RUN_ID)
    sizes = []
    for step in range(3):
        add_op(writer, step, 0)
        writer.flush()
        sizes.append((tmp_path / "rank0.ops").stat().st_size)
    writer.close()
    record = op_format.CHUNK.size + op_format.OPS_HEAD.size + op_format.OP.size + 2 * op_format.TENSOR.size
    assert sizes[2] - sizes[1] == sizes[1] - sizes[0] == record
    assert (tmp_path / "rank0.ops").read_bytes().count(b"aten::mm") == 1


def test_a_large_step_is_written_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operations of a step keep their numbers over several chunks."""
    monkeypatch.setattr("reproof.trace.op_writer.FLUSH_BYTES", 200)
    writer = OpWriter(tmp_path, 0, RUN_ID)
    numbers = [add_op(writer, 4, content) for content in range(20)]
    writer.flush()
    writer.close()
    assert numbers == list(range(20))
    assert [op.number for op in OpTrace(tmp_path, 0).ops(4)] == numbers


def test_what_was_cut_leaves_a_prefix(tmp_path: Path) -> None:
    """Wherever a process was killed, what was whole before is read and nothing else."""
    path = write_steps(tmp_path, 2)
    whole, data = read_all(path), path.read_bytes()
    for size in range(fmt.HEADER_BYTES, len(data)):
        path.write_bytes(data[:size])
        found = read_all(path)
        steps = [told[0] for told in found]  # type: ignore[index]
        assert steps == list(range(len(steps)))
        for told, full in zip(found, whole, strict=False):
            assert told[1] == full[1][: len(told[1])]  # type: ignore[index]
        assert len(found) <= len(whole)


def test_no_changed_byte_goes_unseen(tmp_path: Path) -> None:
    """A file with any byte changed is refused, or what is read of it is shorter."""
    path = write_steps(tmp_path, 2)
    whole, data = read_all(path), path.read_bytes()
    for position in range(len(data)):
        changed = bytearray(data)
        changed[position] ^= 0x41
        path.write_bytes(changed)
        try:
            found = read_all(path)
        except TraceError as error:
            assert "\n" not in str(error)  # noqa: PT017  # the error is one of two good outcomes
        else:
            assert str(found) != str(whole)
            assert len(str(found)) < len(str(whole))


def test_a_file_of_another_run_is_refused(tmp_path: Path) -> None:
    """The run ID ties the files of a trace together."""
    write_steps(tmp_path)
    with pytest.raises(TraceError, match="of another run"):
        OpTrace(tmp_path, 0, bytes(16))


def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    """A file of another kind is told by its first bytes."""
    (tmp_path / "rank0.ops").write_bytes(b"something else" * 10)
    with pytest.raises(TraceError, match="not the ops file"):
        open_ops(tmp_path, 0)


def test_a_run_without_operations_has_none(tmp_path: Path) -> None:
    """Only some runs record operations."""
    assert open_ops(tmp_path, 0) is None


def test_an_existing_file_is_not_replaced(tmp_path: Path) -> None:
    """A writer refuses what is there."""
    write_steps(tmp_path)
    with pytest.raises(RecordingError):
        OpWriter(tmp_path, 0, RUN_ID)


def test_nothing_is_written_after_the_end(tmp_path: Path) -> None:
    """A closed writer raises an error of the file system and leaves the file as it is."""
    writer = OpWriter(tmp_path, 0, RUN_ID)
    add_op(writer, 0, 0)
    writer.close()
    with pytest.raises(OSError, match="descriptor"):
        writer.flush()
    assert OpTrace(tmp_path, 0).steps == ()

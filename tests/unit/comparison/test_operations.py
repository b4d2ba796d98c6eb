"""The operation at which two runs part is told from those that only pass a difference on."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import pytest
import xxhash

from reproof.comparison import compare
from reproof.comparison.operations import (
    Target,
    describe,
    differs,
    earliest,
    explain,
    find_op_difference,
    find_source,
)
from reproof.trace import op_format
from reproof.trace.op_format import MUTATED, UNWRITTEN, VIEW, Op, OpPlace, OpTensor, TensorType
from reproof.trace.op_reader import OpTrace
from reproof.trace.op_writer import OpWriter

if TYPE_CHECKING:
    from pathlib import Path

KIND = TensorType("float32", (2,))


def digest(content: str) -> bytes:
    """Return the digest of a content."""
    return xxhash.xxh3_128_digest(content.encode())


class Told:
    """A run told operation by operation: tensors are names of memory with a content."""

    def __init__(self) -> None:
        """Begin with no operation."""
        self.ops: list[Op] = []
        self._storages: dict[str, int] = {}

    def tensor(self, text: str, flags: int = 0) -> OpTensor:
        """Return a tensor from ``memory=content``."""
        memory, _, content = text.partition("=")
        storage = self._storages.setdefault(memory, len(self._storages) + 1)
        return OpTensor(KIND, storage, 0, flags, bytes(16) if flags & op_format.WITHOUT_DIGEST else digest(content))

    def op(
        self, name: str, inputs: str = "", outputs: str = "", *, flags: int = 0, arguments: int = 0, events: int = 0
    ) -> Told:
        """Add an operation; its inputs and outputs are words ``memory=content``."""
        place = OpPlace(f"aten::{name}", "default", "forward", "Net", "train.py", len(self.ops), "f", name == "rand")
        self.ops.append(
            Op(
                number=len(self.ops),
                place=place,
                num_events=events,
                arguments=arguments,
                inputs=tuple(self.tensor(text, flags & VIEW) for text in inputs.split()),
                outputs=tuple(self.tensor(text, flags) for text in outputs.split()),
            )
        )
        return self


def find(a: Told, b: Told, target: Target | None = None) -> tuple[str, str] | None:
    """Return the cause and the name of the operation where the difference begins."""
    source = find_source(a.ops, b.ops, target)
    return None if source is None else (source.cause, source.a.place.name.removeprefix("aten::"))


def test_runs_that_agree_have_no_difference() -> None:
    """Nothing is found where nothing differs."""
    run = Told().op("mm", "x=1 w=1", "y=1")
    assert find(run, Told().op("mm", "x=1 w=1", "y=1")) is None


def test_the_first_operation_with_equal_inputs_is_named() -> None:
    """What comes after has its difference from there."""
    a = Told().op("mm", "x=1 w=1", "y=1").op("sum", "y=1", "z=1").op("exp", "z=1", "e=1")
    b = Told().op("mm", "x=1 w=1", "y=1").op("sum", "y=1", "z=2").op("exp", "z=2", "e=2")
    assert find(a, b) == ("computed", "sum")


def test_memory_that_no_operation_wrote_is_the_data() -> None:
    """An input that differs from the start came from outside."""
    a = Told().op("mm", "x=1 w=1", "y=1").op("sum", "y=1", "z=1")
    b = Told().op("mm", "x=2 w=1", "y=2").op("sum", "y=2", "z=2")
    assert find(a, b) == ("outside", "mm")


def test_random_numbers_are_told_apart() -> None:
    """An operation that draws is no fault of its own: its generator was in another state."""
    assert find(Told().op("rand", "", "x=1"), Told().op("rand", "", "x=2")) == ("random", "rand")


def test_numbers_of_python_are_told_apart() -> None:
    """An operation that was given another number has no other inputs."""
    a = Told().op("mul", "x=1", "y=1", arguments=1)
    source = find_source(a.ops, Told().op("mul", "x=1", "y=2", arguments=2).ops)
    assert source is not None
    assert (source.cause, source.tensor) == ("argument", 0)
    assert explain(source, None) == "aten::mul was given another number by Python code; its tensors agree up to here"


def test_a_number_read_from_a_tensor_has_its_difference_from_there() -> None:
    """What Python code passes on is no source of its own."""
    a = Told().op("sum", "x=1", "s=1").op("_local_scalar_dense", "s=1").op("mul", "x=1", "y=Y", arguments=1)
    b = Told().op("sum", "x=1", "s=2").op("_local_scalar_dense", "s=2").op("mul", "x=1", "y=Z", arguments=2)
    assert find(a, b, Target(None, digest("Y"))) == ("computed", "sum")


def test_differences_pass_through_views() -> None:
    """A view has no digest of its own; it lies in the same memory."""
    a = Told().op("sum", "x=1", "s=1").op("t", "s s", "s", flags=VIEW).op("mm", "s=1t", "y=1")
    b = Told().op("sum", "x=1", "s=2").op("t", "s s", "s", flags=VIEW).op("mm", "s=2t", "y=2")
    assert find(a, b) == ("computed", "sum")


def test_differences_pass_through_changes_in_place() -> None:
    """A tensor changed in place is another from then on."""
    a = Told().op("add_", "w=1 g=1", "w=2", flags=MUTATED).op("mm", "w=2", "y=1")
    b = Told().op("add_", "w=1 g=1", "w=3", flags=MUTATED).op("mm", "w=3", "y=2")
    assert find(a, b) == ("computed", "add_")


def test_memory_written_in_whole_differs_from_there() -> None:
    """Where its size is known as well: only what agrees is forgotten."""
    runs = [
        Told().op("empty", "", "w=", flags=UNWRITTEN).op("fft", "", f"w={n}", flags=MUTATED).op("sum", f"w={n}", "s=1")
        for n in (1, 2)
    ]
    assert find(*runs) == ("computed", "fft")


def test_memory_that_is_not_written_has_no_content() -> None:
    """What `empty` returns may differ; who reads it without its being written is told of the allocation."""
    a = Told().op("empty", "", "e", flags=UNWRITTEN).op("copy_", "x=1", "e=1", flags=MUTATED).op("sum", "e=1", "s=1")
    b = Told().op("empty", "", "e", flags=UNWRITTEN).op("copy_", "x=1", "e=1", flags=MUTATED).op("sum", "e=2", "s=2")
    source = find_source(a.ops, b.ops)
    assert source is not None
    assert (source.cause, source.a.place.name) == ("uninitialized", "aten::sum")
    assert source.allocated is not None
    assert source.allocated.name == "aten::empty"


def test_memory_that_was_written_in_whole_is_not_blamed_for_what_comes_later() -> None:
    """A weight that was drawn, and then changed where nobody looked, differs from outside."""
    runs = []
    for late in ("1", "2"):
        run = Told().op("empty", "", "w=", flags=UNWRITTEN).op("uniform_", "w=", "w=1", flags=MUTATED)
        drawn = run.ops[-1]
        run.ops[-1] = drawn._replace(inputs=(drawn.inputs[0]._replace(flags=VIEW),))  # it reads none of it
        runs.append(run.op("mm", f"w={late} x=1", f"y={late}"))
    assert find(*runs) == ("outside", "mm")


def test_memory_that_is_allocated_again_is_clean() -> None:
    """A new tensor at the address of one that differed has no difference from it."""
    a = Told().op("rand", "", "m=1").op("ones", "", "m=5").op("sum", "m=5", "s=1").op("exp", "s=1", "e=1")
    b = Told().op("rand", "", "m=2").op("ones", "", "m=5").op("sum", "m=5", "s=1").op("exp", "s=1", "e=2")
    assert find(a, b, Target(None, digest("1"))) == ("computed", "exp")
    a = Told().op("rand", "", "m=1").op("ones", "", "m=5").op("sum", "m=6", "s=S")
    b = Told().op("rand", "", "m=2").op("ones", "", "m=5").op("sum", "m=7", "s=T")
    assert find(a, b, Target(None, digest("S"))) == ("outside", "sum")


def test_only_what_leads_to_the_divergence_counts() -> None:
    """A difference that is only logged is not accused, where the divergent tensor is the output of an operation."""
    a = Told().op("rand", "", "log=1").op("mm", "x=1", "y=1").op("sum", "y=1", "loss=L").op("rand", "", "next=3")
    b = Told().op("rand", "", "log=2").op("mm", "x=1", "y=2").op("sum", "y=2", "loss=M").op("rand", "", "next=4")
    assert find(a, b) == ("random", "rand")
    assert find(a, b, Target(9, digest("L"))) == ("computed", "mm")


def test_many_differences_that_lead_nowhere_hide_nothing() -> None:
    """However much is drawn and logged before, the source of the divergence is found."""
    a, b = Told(), Told()
    for number in range(200):
        a.op("rand", "", f"log{number}=1")
        b.op("rand", "", f"log{number}=2")
    a.op("mm", "x=1", "y=1").op("sum", "y=1", "loss=L")
    b.op("mm", "x=1", "y=2").op("sum", "y=2", "loss=M")
    assert find(a, b, Target(0, digest("L"))) == ("computed", "mm")


@pytest.mark.parametrize("maker", ["rand", "fft"])
def test_what_was_written_again_no_longer_counts(maker: str) -> None:
    """Initial numbers that differ, and are replaced as a whole by numbers that agree, have made nothing."""
    runs = []
    for drawn, made in (("1", "1"), ("2", "2")):
        run = Told().op("empty", "", "w=", flags=UNWRITTEN).op(maker, "", f"w={drawn}", flags=MUTATED)
        runs.append(run.op("copy_", "data=1", "w=9", flags=MUTATED).op("mm", "w=9 x=1", f"y={made}"))
    assert find(*runs) == ("computed", "mm")
    assert find(*runs, Target(9, digest("another view"))) == ("computed", "mm")


def test_other_memory_is_forgotten_of_an_operation_with_fewer_outputs() -> None:
    """What one run alone returns, such as one chunk more, has no counterpart; the others are held against theirs."""
    runs = []
    for drawn, outputs in (("1", "w=9 v=7"), ("2", "w=9")):
        run = Told().op("empty", "", "w=", flags=UNWRITTEN).op("fft", "", f"w={drawn}", flags=MUTATED)
        runs.append(run.op("split", "data=1", outputs, flags=MUTATED).op("mm", "w=9 x=1", f"y={drawn}"))
    assert find(*runs) == ("computed", "mm")


def test_tensors_of_another_shape_differ() -> None:
    """Whatever their digests say: of one without a digest nothing else is known."""
    runs = []
    for shape in ((2,), (3,)):
        run = Told().op("nonzero", "x=1", "n=1").op("sum", "n=1", "s=1")
        made = run.ops[0].outputs[0]._replace(kind=TensorType("int64", shape))
        run.ops[0] = run.ops[0]._replace(outputs=(made,))
        runs.append(run)
    assert find(*runs) == ("computed", "nonzero")


@pytest.mark.parametrize("other", [0, MUTATED, VIEW, UNWRITTEN])
def test_what_one_run_did_not_look_at_is_not_known_to_differ(other: int) -> None:
    """Whichever of the two runs has no digest."""
    seen, unseen = Told().tensor("x=1"), Told().tensor("x=2", other)
    has_both = not other & op_format.WITHOUT_DIGEST
    assert differs(seen, unseen) == differs(unseen, seen) == has_both


@pytest.mark.parametrize(("a", "b", "found"), [(1, 2, 1), (2, 1, 1), (None, 3, 3), (3, None, 3), (None, None, None)])
def test_the_earlier_of_two_sources(a: int | None, b: int | None, found: int | None) -> None:
    """Either may be missing."""
    assert earliest(a, b) == found


def test_what_was_written_again_in_part_still_counts() -> None:
    """Memory of which only a part is known to agree differs still."""
    runs = []
    for drawn in ("1", "2"):
        run = Told().op("rand", "", f"w={drawn}", flags=MUTATED)  # where it was allocated, and how large, is not known
        runs.append(run.op("copy_", "data=1", "w=9", flags=MUTATED).op("mm", "w=9 x=1", f"y={drawn}"))
    assert find(*runs) == ("random", "rand")


def test_what_came_after_the_divergence_does_not_count() -> None:
    """Operations executed after the first event that differs have not made it."""
    a = Told().op("mm", "x=1", "y=1", events=1).op("exp", "q=1", "r=1", events=5)
    b = Told().op("mm", "x=1", "y=1", events=1).op("exp", "q=1", "r=2", events=5)
    assert find(a, b, Target(3, digest("?"))) is None
    assert find(a, b, Target(5, digest("?"))) == ("computed", "exp")


def test_operations_of_one_run_alone_are_passed_over() -> None:
    """Others inserted or missing do not hide the operation that differs."""
    a = Told().op("mm", "x=1", "y=1")
    b = Told().op("mm", "x=1", "y=1")
    for name in "abcdef":
        a.op(name, "y=1", f"{name}=1")
        b.op(name, "y=1", f"{name}={2 if name == 'e' else 1}")
    b.ops.insert(2, b.ops[0]._replace(place=b.ops[0].place._replace(name="aten::item")))
    assert find(a, b) == ("computed", "e")


def test_inputs_and_outputs_are_told() -> None:
    """Type and shape of each, and whether they agree; of many the first."""
    a = Told().op("cat", " ".join(f"x{i}=1" for i in range(8)), "y=1")
    b = Told().op("cat", " ".join(f"x{i}=1" for i in range(8)), "y=2")
    a.ops[0] = a.ops[0]._replace(
        inputs=(a.ops[0].inputs[0]._replace(kind=TensorType("int64", ())), *a.ops[0].inputs[1:])
    )
    b.ops[0] = b.ops[0]._replace(
        inputs=(b.ops[0].inputs[0]._replace(kind=TensorType("int64", (1,))), *b.ops[0].inputs[1:])
    )
    source = find_source(a.ops, b.ops)
    assert source is not None
    told = describe(source, None).tensors
    assert told[:2] == (
        "input 0: int64 scalar in the baseline, int64 [1] in the candidate",
        "input 1: float32 [2], equal to the bit",
    )
    assert told[-2:] == ("2 more inputs, of which 0 differ", "output 0: float32 [2], differs")


def test_an_output_without_a_digest_is_not_called_equal() -> None:
    """Nor different."""
    a, b = (Told().op("empty", f"x={x}", "y=1", flags=UNWRITTEN) for x in (1, 2))
    source = find_source(a.ops, b.ops)
    assert source is not None
    assert describe(source, None).tensors[-1] == "output 0: float32 [2], memory that nothing has written"


@pytest.mark.parametrize("stage", ["loss", "init"])
def test_the_event_that_differs_is_what_is_looked_for(run: Any, say: Any, stage: str) -> None:
    """Of two operations that differ, the one is told that made it; initial state is made before any is recorded."""
    folders = []
    for name in "ab":
        folder = run(name, [say.named("Net.w", "1", "update"), say.named("L", name, stage)], run_id="0" * 32)
        writer = OpWriter(folder, 0, "0" * 32)
        for number, (op, content) in enumerate((("rand", f"log {name}"), ("mm", name), ("rand", f"next {name}"))):
            kind = writer.type_id(KIND)
            place = writer.place_id(OpPlace(f"aten::{op}", "default", "forward", "", "t.py", number, "f"))
            made = op_format.TENSOR.pack(kind, number + 1, 0, 0, digest(content))
            writer.add(0, op_format.OP.pack(place, 1, 0, 0, 1) + made)
        writer.flush()
        writer.close()
        folders.append(folder)
    first = compare(*folders).first
    assert first is not None
    assert first.op is not None
    assert first.op.name == ("aten::mm" if stage == "loss" else "aten::rand")


def test_kept_values_are_compared(tmp_path: Path) -> None:
    """Number of elements, distances and examples come from the values of both runs."""
    traces = []
    for name, second in (("a", 2.0), ("b", 2.5), ("without", 2.5)):
        (tmp_path / name).mkdir()
        writer = OpWriter(tmp_path / name, 0, "0" * 32)
        place, kind = (
            writer.place_id(OpPlace("aten::mm", "default", "forward", "", "t.py", 3, "f")),
            writer.type_id(KIND),
        )
        packed = op_format.TENSOR.pack(kind, 1, 0, 0, digest(str(second)))
        number = writer.add(7, op_format.OP.pack(place, 0, 0, 0, 1) + packed)
        if name != "without":
            writer.add_values(number, 0, kind, struct.pack("<2f", 1.0, second))
        writer.flush()
        writer.close()
        traces.append(OpTrace(tmp_path / name, 0))
    for pair in ((traces[0], traces[2]), (traces[2], traces[0])):
        unknown = find_op_difference(*pair, 7)
        assert unknown is not None
        assert (unknown.name, unknown.num_differing) == ("aten::mm", None)
    traces = traces[:2]
    found = find_op_difference(*traces, 7)
    assert found is not None
    assert (found.name, found.line, found.num_differing, found.num_elements) == ("aten::mm", 3, 1, 2)
    assert (found.max_abs, found.max_ulp) == (0.5, 1 << 21)
    assert found.explanation == "the inputs of aten::mm agree, and output 0 differs in 1 of 2 elements"
    assert found.tensors == ("output 0: float32 [2], differs in 1 of 2 elements, by 0.5 (2,097,152 ulp) at most",)
    assert found.to_json()["examples"] == [{"index": [1], "baseline": 2.0, "candidate": 2.5}]
    assert find_op_difference(*traces, 8) is None

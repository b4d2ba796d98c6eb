"""Operations are recorded with what they read and make, and with the line, module and phase that they belong to."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode, is_in_torch_dispatch_mode
from torch.utils.checkpoint import checkpoint

from reproof.recorder import Recording
from reproof.recorder.options import RecordingOptions
from reproof.schema import Probes
from reproof.trace.op_format import MUTATED, UNWRITTEN, VIEW
from reproof.trace.op_reader import OpTrace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reproof.trace.op_format import Op

EVERY = Probes(ops_steps=(0, 99))
SOURCE = Path(__file__).read_text(encoding="utf-8").splitlines()


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Compute in one thread: on a busy machine several would wait for each other most of the time."""
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(num_threads)


class Net(nn.Module):
    """Two layers, of which the first may be computed again in backward."""

    def __init__(self, *, recomputes: bool = False) -> None:
        """Build it."""
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.last = nn.Linear(4, 2)
        self.recomputes = recomputes

    def body(self, x: torch.Tensor) -> torch.Tensor:
        """Return what the first layer makes."""
        return self.first(x).tanh()  # body

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return what both make."""
        hidden = checkpoint(self.body, x, use_reentrant=False) if self.recomputes else self.body(x)
        return self.last(hidden)  # last


def train(model: nn.Module, optimizer: torch.optim.Optimizer, num_steps: int = 1) -> None:
    """Train some steps."""
    for _ in range(num_steps):
        optimizer.zero_grad()
        loss = model(torch.ones(3, 4)).square().mean()  # loss
        loss.backward()  # backward
        optimizer.step()  # step


def record_ops(folder: Path, action: Callable[[], Any], probes: Probes = EVERY) -> OpTrace:
    """Record what an action does, without any problem; return its operations."""
    recording = Recording(folder / "run", RecordingOptions(probes=probes))
    with recording:
        action()
    assert recording.problems == ()
    return OpTrace(folder / "run", 0)


def record_step(folder: Path, action: Callable[[], Any], probes: Probes = EVERY) -> list[Op]:
    """Return the operations of an action within step 0."""
    return record_ops(folder, action, probes).ops(0)


def named(ops: list[Op], name: str, phase: str = "") -> list[Op]:
    """Return the operations of a name, in a phase if one is given."""
    return [op for op in ops if op.place.name == f"aten::{name}" and op.place.phase in (phase or op.place.phase)]


def marked(comment: str) -> int:
    """Return the line of this file that ends with a comment."""
    return next(i for i, line in enumerate(SOURCE, start=1) if line.endswith(f"  # {comment}"))


def test_forward_operations_belong_to_their_line_and_module(tmp_path: Path) -> None:
    """The innermost line of the user's and the innermost module are told, not those of PyTorch."""
    model = Net()
    ops = record_step(tmp_path, lambda: model(torch.ones(3, 4)))
    places = [(op.place.module, op.place.line, op.place.function) for op in named(ops, "addmm", "forward")]
    assert [(module, line) for module, line, _ in places] == [
        ("Net.first", marked("body")),
        ("Net.last", marked("last")),
    ]
    assert named(ops, "tanh")[0].place.module == "Net"
    assert {Path(op.place.file).name for op in ops if op.place.phase == "forward"} == {Path(__file__).name}


def test_backward_operations_belong_to_the_line_of_their_forward(tmp_path: Path) -> None:
    """An operation of backward has the line and module of the operation that made its node."""
    model = Net()
    ops = record_step(tmp_path, lambda: train(model, torch.optim.SGD(model.parameters(), lr=0.1)))
    assert {op.place.name.partition("::")[0] for op in ops} == {"aten"}, "marks of the profiler are no operations"
    products = [(op.place.module, op.place.line) for op in named(ops, "mm", "backward")]
    assert products == [("Net.last", marked("last"))] * 2 + [("Net.first", marked("body"))]
    assert [op.place.line for op in named(ops, "tanh_backward")] == [marked("body")]
    assert {op.place.line for op in named(ops, "detach", "backward") if op.place.line != marked("body")} == {
        marked("backward")
    }


def test_recomputed_operations_belong_to_their_own_line(tmp_path: Path) -> None:
    """With checkpointing the forward runs again within backward: it has its line, and so has what comes of it."""
    model = Net(recomputes=True)
    ops = record_step(tmp_path, lambda: train(model, torch.optim.SGD(model.parameters(), lr=0.1)))
    again = named(ops, "addmm", "backward")
    assert [(op.place.module, op.place.line) for op in again] == [("Net.first", marked("body"))]
    assert [op.place.line for op in named(ops, "tanh_backward")] == [marked("body")]


@pytest.mark.parametrize("options", [{"foreach": False}, {"foreach": True}, {"fused": True}])
def test_what_an_optimizer_does_is_seen_by_its_effect(tmp_path: Path, options: dict[str, bool]) -> None:
    """Single, foreach and fused steps alike change each parameter, before and after being seen."""
    model = Net()
    ops = record_step(tmp_path, lambda: train(model, torch.optim.AdamW(model.parameters(), lr=0.1, **options)))
    stepped = [op for op in ops if op.place.phase == "optimizer"]
    assert {op.place.line for op in stepped} == {marked("step")}
    shapes = {tuple(p.shape) for p in model.parameters()}
    changed = [(op, output) for op in stepped for output in op.outputs if output.flags & MUTATED]
    assert {output.kind.shape for _, output in changed} >= shapes
    for op, output in changed:
        before = [x for x in op.inputs if x.storage == output.storage and x.position == output.position]
        assert before
        if op.place.name in ("aten::_fused_adamw_", "aten::addcdiv_", "aten::_foreach_addcdiv_"):
            assert output.position or all(x.digest != output.digest for x in before)


def test_an_optimizer_of_the_users_own_is_one(tmp_path: Path) -> None:
    """Operations of a `step` in the user's file belong to the optimizer phase and to their own line."""

    class Own(torch.optim.Optimizer):
        def __init__(self, parameters: Any) -> None:
            super().__init__(parameters, {})

        @torch.no_grad()
        def step(self, closure: Any = None) -> None:
            for parameter in self.param_groups[0]["params"]:
                parameter.sub_(parameter.grad)  # own

    model = Net()
    ops = record_step(tmp_path, lambda: train(model, Own(model.parameters())))
    assert {(op.place.phase, op.place.line) for op in named(ops, "sub_")} == {("optimizer", marked("own"))}


def test_outputs_are_found_again_as_inputs(tmp_path: Path) -> None:
    """What an operation makes is, digest and memory, what the next one reads."""
    ops = record_step(tmp_path, lambda: torch.ones(3).add(1).mul(2))
    add, mul = named(ops, "add")[0], named(ops, "mul")[0]
    assert add.outputs[0].storage == mul.inputs[0].storage != add.inputs[0].storage
    assert add.outputs[0].digest == mul.inputs[0].digest != bytes(16)


def test_a_view_shares_its_memory(tmp_path: Path) -> None:
    """A change through a view shows in the memory of its base, and a view itself has no digest."""

    def change() -> torch.Tensor:
        base = torch.zeros(4)
        base[1:3] = 5
        return base.add(1)

    ops = record_step(tmp_path, change)
    view, fill, add = named(ops, "slice")[0], named(ops, "fill_")[0], named(ops, "add")[0]
    assert view.outputs[0].flags == VIEW
    assert view.outputs[0].storage == fill.outputs[0].storage == add.inputs[0].storage


def test_a_tensor_that_adopts_memory_computes_nothing(tmp_path: Path) -> None:
    """What comes from a storage comes from outside and not from an operation."""
    ops = record_step(tmp_path, lambda: torch.empty(0).set_(torch.ones(3).untyped_storage()))
    assert [output.flags for output in named(ops, "set_")[0].outputs] == [MUTATED | VIEW]


def test_uninitialised_memory_has_no_content(tmp_path: Path) -> None:
    """What `empty` returns is no evidence, as a result, as an input, and until something writes it."""

    def allocate() -> None:
        first, second = torch.empty(4), torch.empty_like(torch.zeros(3))
        torch.add(torch.ones(4), 1, out=first)
        second.mul(2)
        first.mul(2)

    ops = record_step(tmp_path, allocate)
    assert [named(ops, name)[0].outputs[0].flags for name in ("empty", "empty_like")] == [UNWRITTEN] * 2
    unwritten, written = named(ops, "mul")
    assert (unwritten.inputs[0].flags, unwritten.inputs[0].has_digest) == (UNWRITTEN, False)
    assert (written.inputs[0].flags, written.inputs[0].has_digest) == (0, True)
    out = next(x for x in named(ops, "add")[0].inputs if x.storage == named(ops, "empty")[0].outputs[0].storage)
    assert not out.has_digest


def test_running_statistics_are_an_effect(tmp_path: Path) -> None:
    """Batch normalisation changes its buffers, though its schema does not say so."""
    model = nn.BatchNorm1d(4)
    ops = record_step(tmp_path, lambda: model(torch.randn(3, 4)))
    normalised = next(op for op in ops if "batch_norm" in op.place.name)
    changed = [output for output in normalised.outputs if output.flags & MUTATED]
    assert [output.kind.shape for output in changed] == [(4,), (4,)]
    assert all(output.digest not in [x.digest for x in normalised.inputs] for output in changed)


def test_numbers_are_arguments(tmp_path: Path) -> None:
    """Another number given by Python code shows, the same number does not; -0.0 is another than 0.0."""

    def multiply() -> None:
        for factor in (0.0, 0.0, -0.0, 1.5):
            torch.ones(2).mul(factor)

    same, again, negative, other = (op.arguments for op in named(record_step(tmp_path, multiply), "mul"))
    assert same == again
    assert len({same, negative, other}) == 3


def test_random_operations_are_marked(tmp_path: Path) -> None:
    """An operation that draws is told from one that computes."""
    ops = record_step(tmp_path, lambda: nn.functional.dropout(torch.ones(4)))
    drawing = next(op for op in ops if "dropout" in op.place.name or "bernoulli" in op.place.name)
    assert drawing.place.is_random
    assert not named(ops, "ones")[0].place.is_random


def test_only_the_steps_of_the_window_are_recorded(tmp_path: Path) -> None:
    """A window of steps has the operations of these steps, whole, and leaves no mode behind."""
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    trace = record_ops(tmp_path, lambda: train(model, optimizer, 6), Probes(ops_steps=(2, 3)))
    assert trace.steps == (2, 3)
    phases = [op.place.phase for op in trace.ops(2)]
    assert {"forward", "backward", "optimizer"} <= set(phases)
    assert len(phases) == len(trace.ops(3))
    assert torch._C._len_torch_dispatch_stack() == 0  # no public getter


def test_values_are_kept_where_asked_for(tmp_path: Path) -> None:
    """The elements of an output can be read back, and none are kept otherwise."""

    def compute() -> None:
        torch.arange(3.0).add(1)

    (tmp_path / "kept").mkdir()
    trace = record_ops(tmp_path / "kept", compute, Probes(ops_steps=(0, 0), keeps_op_values=True))
    kept = trace.values(0, named(trace.ops(0), "add")[0].number, 0)
    assert kept is not None
    assert kept[1].cast("f").tolist() == [1.0, 2.0, 3.0]
    plain = record_ops(tmp_path, compute)
    assert plain.values(0, named(plain.ops(0), "add")[0].number, 0) is None


def test_a_mode_of_the_users_keeps_its_place(tmp_path: Path) -> None:
    """A dispatch mode that is entered within the window and outlives it works on, and ours is off."""
    seen: list[str] = []

    class Counting(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            seen.append(str(func))
            return func(*args, **(kwargs or {}))

    mode = Counting()
    recording = Recording(tmp_path / "run", RecordingOptions(probes=EVERY))
    with recording:
        mode.__enter__()
        torch.ones(2)
    torch.zeros(2)
    mode.__exit__(None, None, None)
    torch._C._get_dispatch_stack_at(0).__exit__(None, None, None)  # ours, which could not be left
    assert recording.problems == ()
    assert seen == ["aten.ones.default", "aten.zeros.default"]
    assert [op.place.name for op in OpTrace(tmp_path / "run", 0).ops(0)] == ["aten::ones"]


def test_an_older_pytorch_is_not_told_of_a_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where PyTorch would not compile under a mode, operations are recorded without its knowing of one."""
    monkeypatch.delattr(TorchDispatchMode, "ignore_compile_internals")

    def compute() -> None:
        assert not is_in_torch_dispatch_mode()
        torch.ones(2).add(1)

    assert named(record_step(tmp_path, compute), "add")
    assert torch._C._len_torch_dispatch_stack() == 0


def test_other_threads_record_nothing(tmp_path: Path) -> None:
    """A thread of the user's computes as it would, unseen."""

    def compute() -> None:
        thread = threading.Thread(target=lambda: torch.ones(2).mul(3))
        thread.start()
        thread.join()
        torch.ones(2).add(1)

    ops = record_step(tmp_path, compute)
    assert not named(ops, "mul")
    assert named(ops, "add")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_child_records_nothing(tmp_path: Path) -> None:
    """What a child process computes is not written to its parent's file."""

    def compute() -> None:
        child = os.fork()
        if child == 0:
            torch.ones(2).mul(3)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        torch.ones(2).add(1)

    ops = record_step(tmp_path, compute)
    assert not named(ops, "mul")
    assert named(ops, "add")


def test_an_error_of_the_users_passes_through(tmp_path: Path) -> None:
    """An operation that raises raises the same error, and is no problem of the recording."""

    def fail() -> None:
        with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
            torch.ones(2, 3) @ torch.ones(2, 3)

    assert not named(record_step(tmp_path, fail), "mm")


def test_an_error_of_the_recorder_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The training goes on with the right result, and the trace cannot be called whole."""
    monkeypatch.setattr("reproof.recorder.probes.op_mode.digest_in_memory_order", lambda _: 1 / 0)
    recording = Recording(tmp_path / "run", RecordingOptions(probes=EVERY))
    with recording:
        result = torch.ones(2).add(1)
    assert result.tolist() == [2.0, 2.0]
    assert any("operation not recorded: ZeroDivisionError" in problem for problem in recording.problems)

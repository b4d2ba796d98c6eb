"""Operations are executed again on the same inputs, without the training's noticing."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import pytest
import torch

from reproof.recorder import Recording
from reproof.recorder.options import RecordingOptions
from reproof.recorder.probes.copies import ALIGNMENT, copy_alike
from reproof.recorder.probes.repetition import measure
from reproof.schema import Probes
from reproof.trace.probes import read_repetitions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from reproof.schema import Repetitions

REPEATED = Probes(ops_steps=(0, 9), repeats_ops=True)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Compute in one thread: on a busy machine several would wait for each other most of the time."""
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(num_threads)


def repeat_ops(folder: Path, action: Callable[[], Any]) -> Repetitions:
    """Record an action and execute its operations again; return what that has found."""
    recording = Recording(folder / "run", RecordingOptions(probes=REPEATED))
    with recording:
        action()
    assert recording.problems == ()
    found = read_repetitions(folder / "run", 0)
    assert found is not None
    assert found.is_complete
    return found


@pytest.fixture
def unstable_op() -> Iterator[Callable[[torch.Tensor], torch.Tensor]]:
    """Return an operation of ATen that adds another small number at each call, unless it is to be deterministic."""
    calls = []

    def kernel(x: torch.Tensor) -> torch.Tensor:
        calls.append(torch.rand(1))  # draws, which its schema does not say
        is_stable = torch.are_deterministic_algorithms_enabled()
        return x.abs() if is_stable else x.abs() + len(calls) * 2**-20

    library = torch.library.Library("aten", "IMPL")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch says the first time that a kernel is overridden
        library.impl("erfinv", kernel, "CPU")
    yield torch.erfinv
    library._destroy()  # the documented way is to drop the last reference, whenever that is


def test_stable_operations_are_not_accused(tmp_path: Path) -> None:
    """What gives the same bits each time is only counted: in place, foreach, a reduction, a product."""

    def compute() -> None:
        x = torch.randn(30, 30)
        (x @ x).sum().add_(1)
        torch._foreach_add_([x, x.clone()], 1)  # type: ignore[arg-type]
        torch.zeros(30, 30).index_put_((torch.arange(30),), x, accumulate=True)

    found = repeat_ops(tmp_path, compute)
    assert found.unstable == ()
    assert found.num_repeated >= 7


def test_an_unstable_operation_is_found(tmp_path: Path, unstable_op: Callable[[torch.Tensor], torch.Tensor]) -> None:
    """It is told with its line, how far its results differ, and what makes it stable."""
    op = repeat_ops(tmp_path, lambda: unstable_op(torch.ones(5))).unstable[0]
    assert (op.name, op.step, op.function) == (
        "aten::erfinv",
        0,
        "test_an_unstable_operation_is_found.<locals>.<lambda>",
    )
    assert (op.num_results, op.num_distinct) == (9, 9)
    assert (op.num_elements, op.num_differing) == (5, 5)
    assert op.max_abs == 2**-20
    assert op.max_ulp == 8
    assert op.stable_with == ("deterministic algorithms",)
    assert op.raises_with == ()


def test_the_training_keeps_its_own_result(tmp_path: Path, unstable_op: Callable[[torch.Tensor], torch.Tensor]) -> None:
    """The first result is the one that goes on, and what is changed in place is changed once."""
    kept: list[torch.Tensor] = []

    def compute() -> None:
        kept.append(unstable_op(torch.ones(5)))
        kept.append(torch.ones(3).add_(1))

    repeat_ops(tmp_path, compute)
    assert kept[0].tolist() == [1 + 2**-20] * 5
    assert kept[1].tolist() == [2.0] * 3


def test_no_state_is_changed(tmp_path: Path, unstable_op: Callable[[torch.Tensor], torch.Tensor]) -> None:
    """Random numbers, threads and flags are what they would be without it."""

    def compute() -> torch.Tensor:
        unstable_op(torch.ones(5))
        torch.nn.functional.dropout(torch.ones(50))
        return torch.rand(4)

    torch.manual_seed(1)
    torch.use_deterministic_algorithms(False)  # noqa: FBT003
    plain = compute()
    drawn: list[torch.Tensor] = []
    torch.manual_seed(1)
    repeat_ops(tmp_path, lambda: drawn.append(compute()))
    assert drawn[0].tolist() == plain.tolist()
    assert torch.get_num_threads() == 1
    assert not torch.are_deterministic_algorithms_enabled()


def test_autograd_sees_one_operation(tmp_path: Path) -> None:
    """Gradients are those of the training alone, and no repetition is part of the graph."""
    x = torch.full((4,), 3.0, requires_grad=True)
    repeat_ops(tmp_path, lambda: (x * x).sum().backward())
    assert x.grad is not None
    assert x.grad.tolist() == [6.0] * 4


def test_workspaces_are_no_results(tmp_path: Path) -> None:
    """A recurrent layer keeps memory for its backward of which parts are never written: it is stable all the same."""
    layer = torch.nn.LSTM(8, 8, batch_first=True)
    found = repeat_ops(tmp_path, lambda: layer(torch.randn(2, 5, 8))[0].sum().backward())
    assert found.unstable == ()
    assert found.num_repeated > 3


def test_a_copy_lies_in_memory_as_the_original_does() -> None:
    """Strides and alignment are the same: a kernel computes other bits where elements lie one after the other."""
    whole = torch.randn(50, 36)
    for tensor in (whole.chunk(3, 1)[1], whole.T[3:], whole[::2, 5:], torch.tensor(1.0), torch.empty(0, 3)):
        copied = copy_alike(tensor)
        assert torch.equal(copied, tensor)
        assert tensor.numel() == 0 or copied.stride() == tensor.stride()
        assert tensor.numel() == 0 or copied.data_ptr() % ALIGNMENT == tensor.data_ptr() % ALIGNMENT


def test_an_operation_on_part_of_memory_is_not_accused(tmp_path: Path) -> None:
    """Gates of a recurrent layer are changed in place, in a part of a larger tensor."""
    gates = torch.randn(50, 36)
    found = repeat_ops(tmp_path, lambda: [part.sigmoid_() for part in gates.chunk(3, 1)])
    assert found.unstable == ()


def test_random_operations_are_left_out(tmp_path: Path) -> None:
    """What draws random numbers is another each time by intention."""
    found = repeat_ops(tmp_path, lambda: torch.nn.functional.dropout(torch.ones(50)) + torch.rand(50))
    assert found.unstable == ()
    assert found.num_left_out >= 1


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_distances_are_counted_in_the_type(dtype: torch.dtype) -> None:
    """The next number is one ulp away, also across zero; what is not finite has no distance."""
    x = torch.tensor([1.0, 0.0, float("nan"), 5.0], dtype=dtype)
    bits = x.view({2: torch.int16, 4: torch.int32, 8: torch.int64}[dtype.itemsize])
    other = (bits + torch.tensor([1, 3, 1, 0])).to(bits.dtype).view(dtype)
    num_differing, max_abs, max_ulp, ulps = measure(x, other)
    assert (num_differing, max_ulp, ulps) == (3, 3, (1, 1))
    assert max_abs == float(other[0]) - 1


def test_integers_and_complex_numbers_are_measured() -> None:
    """Integers have no ulp, and complex numbers count by their parts."""
    assert measure(torch.tensor([1, 2]), torch.tensor([1, 5])) == (1, 3.0, None, ())
    assert measure(torch.tensor([1 + 1j]), torch.tensor([1 + 2j])) == (1, 1.0, 1 << 23, (*[0] * 23, 1))

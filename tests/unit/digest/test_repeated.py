"""Digests of the same tensors step after step, and of large ones that do not lie in row-major order."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from reproof.digest import CannotDigestError, RepeatedDigests, digest_tensor, repeated, tensors

if TYPE_CHECKING:
    from collections.abc import Callable


def make_tensors() -> list[Tensor]:
    """Return parameters, state and a count, as an optimizer holds them."""
    generator = torch.Generator().manual_seed(0)
    return [
        nn.Parameter(torch.randn(4, 6, generator=generator)),
        torch.randn(6, 4, generator=generator),
        torch.tensor(3.0),
        torch.arange(24, dtype=torch.float32).reshape(4, 6),
    ]


class Opaque(Tensor):
    """A subclass that answers no question about itself."""

    @classmethod
    def __torch_function__(cls, func: object, *_: object) -> object:
        """Fail."""
        raise AssertionError(f"asked for {func}")


class CountingMode(TorchFunctionMode):
    """A mode of the user that counts what it sees."""

    count = 0

    def __torch_function__(self, func: Callable, types: object, args: tuple = (), kwargs: dict | None = None) -> object:
        """Count, and go on."""
        self.count += 1
        return func(*args, **(kwargs or {}))


CHANGES: dict[str, Callable[[Tensor], Tensor]] = {
    "elsewhere": torch.clone,
    "other values": lambda tensor: tensor.add_(1),
    "other shape": lambda tensor: tensor.view(6, 4),
    "other dtype": lambda tensor: tensor.view(torch.int32),
    "half as wide": lambda tensor: tensor.half(),
    "transposed": lambda tensor: tensor.t(),
    "negated lazily": torch._neg_view,  # a tensor with the negative bit, at the same address
    "every second row": lambda tensor: tensor[::2],
    "a parameter": nn.Parameter,
    "sparse": lambda tensor: tensor.to_sparse(),
    "empty": lambda tensor: tensor[:0],
    "complex": lambda tensor: torch.complex(tensor, tensor),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("steps_before", [0, 1, 3])
def test_a_changed_tensor_is_digested_as_what_it_is(change: Callable[[Tensor], Tensor], steps_before: int) -> None:
    """Whatever a tensor of the list becomes, each digest is what `digest_tensor` says, in that step and after."""
    digests, held = RepeatedDigests(), make_tensors()
    for _ in range(steps_before):
        assert digests.digest(held) == list(map(digest_tensor, held))
    held[3] = change(held[3])
    for _ in range(3):
        assert digests.digest(held) == list(map(digest_tensor, held))
    held[3] = make_tensors()[3]
    assert digests.digest(held) == list(map(digest_tensor, held))


def test_gradients_that_lie_elsewhere_in_each_step_are_hashed_where_they_lie(monkeypatch: pytest.MonkeyPatch) -> None:
    """New gradients of the same shapes are looked at as a list, not one by one."""
    digests, steps = RepeatedDigests(), [make_tensors() for _ in range(4)]  # all alive: no address comes again
    for held in steps:
        held[1].mul_(len(steps))
    expected = [list(map(digest_tensor, held)) for held in steps]
    assert digests.digest(steps[0]) == expected[0]
    monkeypatch.setattr(RepeatedDigests, "_digest_singly", None)
    assert [digests.digest(held) for held in steps[1:]] == expected[1:]


def test_lists_of_other_lengths() -> None:
    """A frozen or added parameter makes the list shorter or longer; no list at all has no digests."""
    digests, held = RepeatedDigests(), make_tensors()
    for number in (4, 4, 2, 2, 0, 0, 3, 4):
        assert digests.digest(held[:number]) == list(map(digest_tensor, held[:number]))


def test_freed_memory_is_refused() -> None:
    """A storage that was freed under a known tensor is not read, whether its address was known or is new."""
    digests, held = RepeatedDigests(), make_tensors()
    for _ in range(2):
        digests.digest(held)
    held[1].untyped_storage().resize_(0)
    with pytest.raises(CannotDigestError):
        digests.digest(held)
    held[1] = make_tensors()[1]
    assert digests.digest(held) == list(map(digest_tensor, held))


def test_neither_subclasses_nor_modes_are_asked() -> None:
    """A subclass takes the place of a known tensor, or a mode is on: neither sees a question."""
    digests, held = RepeatedDigests(), make_tensors()
    digests.digest(held)
    plain = held[1]
    held[1] = plain.as_subclass(Opaque)
    assert digests.digest(held) == [digest_tensor(tensor) for tensor in (held[0], plain, *held[2:])]
    held[1] = plain
    expected = list(map(digest_tensor, held))
    digests.digest(held)
    with CountingMode() as mode:
        assert digests.digest(held) == expected
    assert mode.count == 0


def test_without_the_class_of_the_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where PyTorch has no such class, or one that answers otherwise, tensors are digested singly."""
    for broken in (None, lambda *_, **__: None, guards_that_say(lambda _: True), guards_that_say(lambda _: False)):
        monkeypatch.setattr(torch._C._dynamo.guards, "TensorGuards", broken)
        digests, held = RepeatedDigests(), make_tensors()
        for change in (Tensor.clone, Tensor.half, Tensor.t):
            held[3] = change(held[3])
            assert digests.digest(held) == list(map(digest_tensor, held))
            assert repeated.watch_for_change(held) is repeated.are_never_alike


def guards_that_say(answer: Callable[..., bool]) -> Callable[..., object]:
    """Return what makes guards that always give one answer."""
    return lambda *_, **__: SimpleNamespace(check=lambda *tensors: answer(tensors))


def test_tensors_are_not_kept() -> None:
    """What was digested is freed when the training lets go of it."""
    digests, held = RepeatedDigests(), make_tensors()
    digests.digest(held)
    storage = held[1].untyped_storage()._weak_ref()
    del held
    assert torch.UntypedStorage._expired(storage)
    torch.UntypedStorage._free_weak_ref(storage)


LARGE: dict[str, Callable[[Tensor], Tensor]] = {
    "transposed": lambda tensor: tensor.t(),
    "matrices transposed": lambda tensor: tensor.view(4, 60, 120).transpose(1, 2),
    "one matrix transposed": lambda tensor: tensor.view(1, 240, 120).transpose(1, 2),
    "channels last": lambda tensor: tensor.view(10, 12, 12, 20).to(memory_format=torch.channels_last),
    "permuted": lambda tensor: tensor.view(10, 12, 12, 20).permute(3, 1, 0, 2),
    "rows without gaps": lambda tensor: tensor.view(120, 2, 120)[::2],
    "every second element": lambda tensor: tensor.flatten()[::2],
    "expanded": lambda tensor: tensor[:1].expand(100, -1),
    "complex, conjugated": lambda tensor: torch.view_as_complex(tensor.view(-1, 120, 2)).t().conj(),
    "halves": lambda tensor: tensor.half().t(),
}


@pytest.mark.parametrize("layout", LARGE.values(), ids=LARGE)
@pytest.mark.parametrize("block_bytes", [1, 1000, 1 << 14])
def test_a_large_tensor_is_hashed_in_blocks(
    layout: Callable[[Tensor], Tensor], block_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any layout has the digest of its contiguous copy, however large the blocks are."""
    tensor = layout(torch.randn(240, 120, generator=torch.Generator().manual_seed(0)))
    monkeypatch.setattr(tensors, "BLOCK_BYTES", block_bytes)
    monkeypatch.setattr(tensors, "_MIN_MATRIX_BYTES", 4 * block_bytes)
    assert digest_tensor(tensor) == digest_tensor(tensor.contiguous().clone())

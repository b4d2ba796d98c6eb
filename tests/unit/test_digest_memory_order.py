"""Digests in the order of memory: of a permuted tensor its elements as they lie, seeded by its strides."""

from __future__ import annotations

import pytest
import torch
import xxhash
from torch import Tensor, nn

from reproof.digest import CannotDigestError, digest_in_memory_order, digest_tensor, memory_order, tensors
from reproof.digest.memory_order import is_permuted

MATRIX = torch.arange(6.0).reshape(2, 3)
IMAGES = torch.arange(48.0).reshape(2, 3, 2, 4).to(memory_format=torch.channels_last)


def expected(tensor: Tensor) -> bytes:
    """Return what docs/trace-format.md demands of a tensor that fills its memory in another order."""
    header = f"{str(tensor.dtype).removeprefix('torch.')}|strides {tensor.stride()}|{','.join(map(str, tensor.shape))}"
    memory = torch.as_strided(tensor.detach(), (tensor.numel(),), (1,)).numpy().tobytes()
    return xxhash.xxh3_128_digest(memory, seed=xxhash.xxh3_64_intdigest(header.encode()))


@pytest.mark.parametrize(
    "tensor",
    [
        MATRIX.t(),
        nn.Parameter(MATRIX).t(),
        nn.Parameter(MATRIX.t()),
        IMAGES,
        IMAGES.permute(3, 0, 2, 1),
        MATRIX.long().t(),
    ],
    ids=["transposed", "of a parameter", "parameter", "channels last", "permuted", "integers"],
)
def test_a_permuted_tensor_is_its_memory(tensor: Tensor) -> None:
    """The first time and later; it is not the digest of its contiguous copy."""
    assert [digest_in_memory_order(tensor) for _ in range(2)] == [expected(tensor)] * 2
    assert digest_in_memory_order(tensor) != digest_tensor(tensor)


OTHERS: dict[str, Tensor] = {
    "contiguous": MATRIX,
    "gap": MATRIX[:, 1:],
    "stride": MATRIX[:, ::2],
    "expanded": MATRIX.expand(2, 2, 3),
    "scalar": MATRIX[0, 0],
    "one row": MATRIX[:1].t(),
    "empty": torch.ones(0, 3).t(),
    "conjugated": MATRIX.t().to(torch.complex64).conj(),
    "negated": torch._neg_view(MATRIX.t()),
    "sparse": MATRIX.to_sparse(),
}


@pytest.mark.parametrize("name", OTHERS)
def test_any_other_tensor_is_as_everywhere(name: str) -> None:
    """Its digest does not depend on its layout, and nothing is read between its elements, the first time and later."""
    tensor = OTHERS[name]
    tensors._SEEDS.clear()
    assert [digest_in_memory_order(tensor) for _ in range(2)] == [digest_tensor(tensor)] * 2


@pytest.mark.filterwarnings("ignore:.*quantized tensor:UserWarning")
def test_a_quantized_tensor_is_as_everywhere() -> None:
    """Its integers mean nothing without its scale."""
    tensor = torch.quantize_per_tensor(MATRIX, 0.5, 1, torch.quint8).t()
    assert digest_in_memory_order(tensor) == digest_tensor(tensor)


def test_equal_memory_of_other_strides_differs() -> None:
    """Strides and shape are part of the digest."""
    cube = torch.arange(8.0).reshape(2, 2, 2)
    assert len({digest_in_memory_order(cube.permute(*order)) for order in ((0, 2, 1), (1, 0, 2), (2, 1, 0))}) == 3


class Named(Tensor):
    """A tensor of another class, with ordinary memory."""


def test_a_subclass_is_as_everywhere() -> None:
    """Its class may say what its memory means."""
    tensor = MATRIX.as_subclass(Named).t()
    assert digest_in_memory_order(tensor) == digest_tensor(tensor)


def test_a_tensor_without_data_is_refused() -> None:
    """As by `digest_tensor`."""
    with pytest.raises(CannotDigestError, match="meta tensor"):
        digest_in_memory_order(torch.empty(2, 3, device="meta").t())


def test_seeds_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainings whose shapes never repeat do not fill the memory."""
    monkeypatch.setattr(memory_order, "MAX_SEEDS", 3)
    memory_order._SEEDS.clear()
    for size in range(2, 12):
        digest_in_memory_order(torch.ones(size, 2).t())
        assert 1 <= len(memory_order._SEEDS) <= 3


@pytest.mark.parametrize(
    ("shape", "strides", "answer"),
    [
        ((), (), True),
        ((1,), (7,), True),
        ((2, 3), (3, 1), True),
        ((2, 3), (1, 2), True),
        ((2, 1, 3), (1, 99, 2), True),
        ((2, 3), (1, 3), False),
        ((2, 3), (4, 1), False),
        ((2, 3), (2, 2), False),
        ((2, 2), (0, 1), False),
        ((3,), (2,), False),
    ],
)
def test_permuted_strides(shape: tuple[int, ...], strides: tuple[int, ...], answer: bool) -> None:  # noqa: FBT001
    """Those of a contiguous tensor in another order of dimensions; a dimension of one element may have any."""
    assert is_permuted(shape, strides) is answer

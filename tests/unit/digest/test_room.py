"""Digests of tensors, arrays and plain values: what counts, what does not, and what is refused."""

from __future__ import annotations

import math
import random
import struct
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
import xxhash
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.testing._internal.two_tensor import TwoTensor
from torch.utils._python_dispatch import TorchDispatchMode

from reproof.digest import CannotDigestError, digest_array, digest_indices, digest_plain, digest_tensor
from reproof.errors import ReproofError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DTYPES = sorted(
    {
        dtype
        for dtype in vars(torch).values()
        if isinstance(dtype, torch.dtype) and not str(dtype).startswith("torch.q")
    },
    key=str,
)


def make_tensor(dtype: torch.dtype, *shape: int) -> Tensor:
    """Return a tensor with all bytes different where that is possible; bytes of a bool are 0 or 1."""
    raw = torch.arange(math.prod(shape) * dtype.itemsize, dtype=torch.uint8)
    return (raw % 2 if dtype is torch.bool else raw).view(dtype).reshape(shape)


def expected(header: str, data: bytes) -> bytes:
    """Return a digest as docs/digests.md defines it."""
    return xxhash.xxh3_128_digest(data, seed=xxhash.xxh3_64_intdigest(header.encode()))


def item(tag: str, payload: bytes) -> bytes:
    """Return an encoded plain value as docs/digests.md defines it."""
    return tag.encode() + struct.pack("<Q", len(payload)) + payload


GOLDEN: dict[str, tuple[Callable[[], bytes], str]] = {
    "float32": (
        lambda: digest_tensor(torch.tensor([[1.5, -0.0], [math.inf, 1e-45]])),
        "f8e84bde3baf10efa489f6836558e880",
    ),
    "float64 0-dim": (
        lambda: digest_tensor(torch.tensor(math.pi, dtype=torch.float64)),
        "4e0b138bc5b4882fcd0c4a978d51ef69",
    ),
    "bfloat16": (
        lambda: digest_tensor(torch.tensor([1, -2, 3], dtype=torch.bfloat16)),
        "3f21eb6e281380bfb68c40577665b682",
    ),
    "float8_e4m3fn": (lambda: digest_tensor(make_tensor(torch.float8_e4m3fn, 4)), "7235a08324a2efab1b32bdbdf9b68451"),
    "int64": (lambda: digest_tensor(torch.arange(300)), "a4a81e74db938cdf83729158317e13f0"),
    "uint8": (lambda: digest_tensor(torch.tensor([[0, 255]], dtype=torch.uint8)), "008c32b052e467e6dcb5a7a7b7c57d69"),
    "bool": (lambda: digest_tensor(torch.tensor([True, False])), "1526aae9430a57f597726c345750ae54"),
    "complex64": (lambda: digest_tensor(torch.tensor([1 - 2j])), "99a78f5a9228ba7786a8e1ccde629753"),
    "empty": (lambda: digest_tensor(torch.empty(0, 3)), "75022df10079991ff2a1ef2dd82198cd"),
    "sparse_coo": (lambda: digest_tensor(torch.eye(2).to_sparse()), "0d3b9f394a474b08d97d58ffee8d5bd5"),
    "sparse_csr": (lambda: digest_tensor(torch.eye(2).to_sparse_csr()), "2f1d791c34fcfabf8ac5bd1ffadbf5db"),
    "numpy str": (lambda: digest_array(np.array(["a", "bc"], dtype="<U2")), "c41e9c131ad40330eaab1371c7a11bf4"),
    "numpy date": (lambda: digest_array(np.array(["2026-11-22"], dtype="<M8[D]")), "cc12d1ca5a759a8250d84a662a12078f"),
    "numpy big-endian": (lambda: digest_array(np.array([1, 2], dtype=">i4")), "8c07d27cdce393a22507b5e1d8d98be6"),
    "numpy struct": (
        lambda: digest_array(np.array([(1, 2.0)], dtype=[("x", "<i2"), ("y", "<f8")])),
        "6d81e4086f5b8a603644778c198b4463",
    ),
    "plain": (
        lambda: digest_plain({"k": [None, True, -(2**70), 0.5, 1j, "é", b"\0", (1, 2), {3, 4}]}),
        "40a9c0ee95d7e2eddd7da5e45cfb9023",
    ),
    "indices": (lambda: digest_indices([5, 3, -1]), "8ec0dae4e12e24613a1d7afe3818fce2"),
}


class TestPromise:
    """A digest means the same in every version."""

    @pytest.mark.filterwarnings("ignore:Sparse .* beta state:UserWarning")
    @pytest.mark.parametrize("name", GOLDEN)
    def test_a_digest_stays_what_it_was_when_first_released(self, name: str) -> None:
        """Traces of other versions are compared with ours: if this fails, the code is wrong, never the value."""
        compute, golden = GOLDEN[name]
        assert compute().hex() == golden

    def test_the_document_has_the_same_test_vectors(self) -> None:
        """Whoever writes another reader can check it against ours."""
        document = (Path(__file__).parents[3] / "docs" / "digests.md").read_text(encoding="utf-8")
        assert [name for name, (_, golden) in GOLDEN.items() if f"`{golden}`" not in document] == []

    def test_a_tensor_is_hashed_as_the_document_says(self) -> None:
        """The bytes, with the hash of ``dtype|shape`` as the seed."""
        tensor = torch.arange(6, dtype=torch.int16).reshape(2, 3)
        assert digest_tensor(tensor) == expected("int16|2,3", struct.pack("<6h", *range(6)))
        assert digest_tensor(torch.tensor(2.5)) == expected("float32|", struct.pack("<f", 2.5))

    def test_a_plain_value_is_encoded_as_the_document_says(self) -> None:
        """Tag, length and payload of each item."""
        number = item("i", b"\x80\x00")
        assert digest_plain(128) == expected("plain|", number)
        assert digest_plain(["a", 128]) == expected("plain|", b"l" + struct.pack("<Q", 2) + item("s", b"a") + number)


class TestTensors:
    """Plain dense tensors in host memory."""

    @pytest.mark.parametrize("dtype", DTYPES, ids=str)
    def test_every_dtype_has_a_digest_that_its_strided_view_shares(self, dtype: torch.dtype) -> None:
        """Logical content decides, also for dtypes that PyTorch itself can hardly copy."""
        wide = make_tensor(dtype, 3, 4)
        view = wide[:, ::2]
        rows = wide.view(torch.uint8).reshape(3, 4, dtype.itemsize)
        copy = rows[:, ::2].contiguous().view(dtype).reshape(3, 2)
        name = str(dtype).removeprefix("torch.")
        assert (
            digest_tensor(view)
            == digest_tensor(copy)
            == expected(f"{name}|3,2", bytes(rows[:, ::2].flatten().tolist()))
        )

    def test_equal_bytes_of_different_dtypes_have_different_digests(self) -> None:
        """The dtype is part of the digest: one digest per dtype of two bytes."""
        same_size = [dtype for dtype in DTYPES if dtype.itemsize == 2]
        assert len({digest_tensor(torch.zeros(4, dtype=torch.uint8).view(dtype)) for dtype in same_size}) == len(
            same_size
        )

    def test_shape_counts_even_without_elements(self) -> None:
        """Empty tensors, 0-dim and 1-element tensors differ by their shape alone."""
        shapes = [(0,), (0, 1), (1, 0), (), (1,), (1, 1), (2, 6), (6, 2), (12,)]
        assert len({digest_tensor(torch.zeros(shape)) for shape in shapes}) == len(shapes)

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (0.0, -0.0),
            (1.0, math.nextafter(1.0, 2.0)),
            (5e-324, 0.0),
            (math.inf, -math.inf),
        ],
    )
    def test_the_smallest_differences_count(self, one: float, other: float) -> None:
        """One ulp, the sign of zero and a denormal change the digest."""
        tensor = torch.zeros(1000, dtype=torch.float64)
        changed = tensor.clone()
        tensor[500], changed[500] = one, other
        assert digest_tensor(tensor) != digest_tensor(changed)

    def test_nan_equals_itself_and_differs_by_payload(self) -> None:
        """NaNs are compared as bits."""
        payloads = torch.tensor([0x7FC00000, 0x7FC00001, -0x00400000], dtype=torch.int32)
        nans = [payload.view(torch.float32) for payload in payloads]
        assert all(math.isnan(nan) for nan in nans)
        assert len({digest_tensor(nan) for nan in nans}) == len(nans)
        assert digest_tensor(nans[1]) == digest_tensor(nans[1].clone())

    @pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
    def test_a_lazy_conjugate_equals_its_resolved_copy(self, dtype: torch.dtype) -> None:
        """Conjugate and negative bits are resolved before hashing."""
        numbers = torch.tensor([1 + 2j, 3 - 4j], dtype=dtype)
        imaginary = numbers.conj().imag[:1]
        assert imaginary.is_neg()
        assert imaginary.is_contiguous()
        assert digest_tensor(imaginary) == digest_tensor(torch.tensor([-2], dtype=imaginary.dtype))
        assert digest_tensor(numbers.conj()) == digest_tensor(numbers.conj().resolve_conj())
        assert digest_tensor(numbers.conj()) != digest_tensor(numbers)

    @pytest.mark.parametrize(
        "view",
        [
            lambda x: x.t(),
            lambda x: x[::2, 1:],
            lambda x: x[1],
            lambda x: x[:, :1].expand(-1, 7),
            lambda x: x.reshape(2, 3, 2, 1).to(memory_format=torch.channels_last),
            lambda x: x.as_strided((3, 3), (1, 1), 2),
        ],
    )
    def test_a_view_equals_its_contiguous_copy(self, view: Callable[[Tensor], Tensor]) -> None:
        """Memory layout and offset do not count."""
        tensor = view(torch.arange(12.0).reshape(4, 3))
        assert digest_tensor(tensor) == digest_tensor(tensor.clone(memory_format=torch.contiguous_format))

    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int64, torch.complex64])
    @pytest.mark.parametrize("shape", [(3, 70, 600), (1, 2, 512), (2, 1, 512), (0, 4, 512), (2, 64, 513)])
    def test_transposed_matrices_equal_their_contiguous_copy(self, shape: tuple[int, ...], dtype: torch.dtype) -> None:
        """Logits of a language model, turned for the loss, are copied another way than other views."""
        tensor = torch.arange(math.prod(shape)).to(dtype).view(shape).transpose(1, 2)
        assert digest_tensor(tensor) == digest_tensor(tensor.clone(memory_format=torch.contiguous_format))

    def test_what_a_tensor_is_used_for_does_not_count(self) -> None:
        """Parameters, buffers, inference tensors and tensors that require gradients are their data."""
        data = torch.arange(5.0)
        with torch.inference_mode():
            inference = data.clone()
        kinds = [nn.Parameter(data), nn.Buffer(data), data.clone().requires_grad_(), inference]
        assert {digest_tensor(kind) for kind in kinds} == {digest_tensor(data)}
        with torch.inference_mode():
            assert digest_tensor(nn.Parameter(data)) == digest_tensor(inference)

    def test_a_change_in_place_is_seen(self) -> None:
        """Nothing about the content is cached."""
        tensor = torch.zeros(8)
        before = digest_tensor(tensor)
        tensor[3] = 1
        assert digest_tensor(tensor) != before

    @pytest.mark.gpu
    @pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
    def test_a_tensor_on_a_device_equals_its_host_copy(self) -> None:
        """The device does not count."""
        tensor = torch.randn(33, 5, generator=torch.Generator().manual_seed(0))
        assert digest_tensor(tensor.cuda()) == digest_tensor(tensor)
        assert digest_tensor(tensor.cuda().t()) == digest_tensor(tensor.t())


class PlainSubclass(Tensor):
    """A subclass as torchvision's images are: methods of its own, ordinary memory."""


class OpaqueTensor(Tensor):
    """A subclass that decides itself what an operation on it means."""

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Fail: digesting must not call it."""
        raise AssertionError(func)


class TestLayouts:
    """Sparse, nested, quantized and other tensors."""

    @pytest.mark.filterwarnings("ignore:Sparse .* beta state:UserWarning")
    @pytest.mark.parametrize(
        "layout", [torch.sparse_coo, torch.sparse_csr, torch.sparse_csc, torch.sparse_bsr, torch.sparse_bsc]
    )
    def test_a_sparse_tensor_is_its_indices_and_values(self, layout: torch.layout) -> None:
        """Equal for equal parts; a changed value, index or shape changes it; another layout is another tensor."""
        dense = torch.diag(torch.arange(1.0, 5.0))
        blocks = {"blocksize": (2, 2)} if layout in {torch.sparse_bsr, torch.sparse_bsc} else {}
        wider = torch.cat([dense, torch.zeros(4, 2)], dim=1)
        variants = [dense, dense * 2, dense.flip(0), wider, dense.double()]
        digests = [digest_tensor(variant.to_sparse(layout=layout, **blocks)) for variant in variants]
        assert len({*digests, digest_tensor(dense)}) == len(variants) + 1
        assert digests[0] == digest_tensor(dense.clone().to_sparse(layout=layout, **blocks))

    def test_an_uncoalesced_tensor_is_as_stored(self) -> None:
        """Duplicates are not summed first, because order and number of summands decide the sum's last bits."""
        twice = torch.sparse_coo_tensor([[0, 0]], [1.0, 2.0], (2,), check_invariants=True)
        assert digest_tensor(twice) != digest_tensor(twice.coalesce())
        once = torch.sparse_coo_tensor([[0]], [3.0], (2,), check_invariants=True)
        assert digest_tensor(once) == digest_tensor(twice.coalesce())

    @pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors:UserWarning")
    def test_a_nested_tensor_is_its_components(self) -> None:
        """Both layouts, and jagged views with holes or a transposed ragged dimension, are judged by components."""
        components = [torch.arange(6.0).reshape(2, 3), torch.arange(3.0).reshape(1, 3)]
        jagged = torch.nested.nested_tensor(components, layout=torch.jagged)
        assert digest_tensor(jagged) == digest_tensor(torch.nested.nested_tensor(components))
        turned = torch.nested.nested_tensor([component.t() for component in components])
        assert digest_tensor(jagged.transpose(1, 2)) == digest_tensor(turned)
        rows, starts, lengths = torch.arange(12.0).reshape(4, 3), torch.tensor([0, 2, 4]), torch.tensor([1, 2])
        holes = torch.nested.nested_tensor_from_jagged(rows, starts, lengths=lengths)
        assert digest_tensor(holes) == digest_tensor(torch.nested.nested_tensor([rows[:1], rows[2:]]))
        assert len({digest_tensor(jagged), digest_tensor(holes), digest_tensor(turned)}) == 3

    @pytest.mark.filterwarnings("ignore:.*quantized tensor:UserWarning")
    def test_a_quantized_tensor_is_its_integers_and_scales(self) -> None:
        """Scale, zero point and scheme count, not only the integers."""
        data = torch.tensor([[0.0, 1.0], [2.0, 3.0]])
        scales, zeros = torch.tensor([0.5, 0.5]), torch.tensor([1, 1])
        variants = [
            torch.quantize_per_tensor(data, 0.5, 1, torch.quint8),
            torch.quantize_per_tensor(data * 2, 1.0, 1, torch.quint8),
            torch.quantize_per_tensor(data - 0.5, 0.5, 2, torch.quint8),
            torch.quantize_per_tensor(data, 0.5, 1, torch.qint8),
            torch.quantize_per_channel(data, scales, zeros, 0, torch.quint8),
            torch.quantize_per_channel(data, scales, zeros, 1, torch.quint8),
        ]
        assert len({tuple(variant.int_repr().flatten().tolist()) for variant in variants}) == 1
        assert len({digest_tensor(variant) for variant in variants}) == len(variants)
        assert digest_tensor(variants[0]) == digest_tensor(variants[0].clone())

    @pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="no oneDNN")
    def test_a_layout_of_a_library_equals_the_dense_tensor(self) -> None:
        """Blocks, as oneDNN stores them, are another way to store the same elements."""
        data = torch.arange(24.0).reshape(2, 3, 2, 2)
        assert digest_tensor(data.to_mkldnn()) == digest_tensor(data)

    def test_a_zero_tensor_without_memory_equals_zeros(self) -> None:
        """Forward-mode differentiation makes zeros that have no memory; offsets into them are no addresses."""
        zeros = torch._efficientzerotensor((4, 3))
        assert digest_tensor(zeros) == digest_tensor(torch.zeros(4, 3))
        assert digest_tensor(zeros[2:]) == digest_tensor(torch.zeros(2, 3))

    def test_a_subclass_with_ordinary_memory_is_its_data(self) -> None:
        """Its hooks are not called."""
        data = torch.arange(6.0).reshape(2, 3)
        assert digest_tensor(data.as_subclass(PlainSubclass)) == digest_tensor(data)
        assert digest_tensor(data.as_subclass(PlainSubclass).t()) == digest_tensor(data.t())

    def test_a_wrapper_is_all_its_parts(self) -> None:
        """A subclass that says what it wraps is digested by that."""
        one, two = torch.zeros(2), torch.ones(2)
        digests = {digest_tensor(TwoTensor(*pair)) for pair in [(one, one), (one, two), (two, one)]}
        assert len(digests) == 3
        assert digest_tensor(TwoTensor(one, two)) == digest_tensor(TwoTensor(one.clone(), two.clone()))

    def test_a_distributed_tensor_is_the_shard_of_this_process(self, process_group: None) -> None:
        """A DTensor and a collective that is still running are what this process holds once it is done."""
        import torch.distributed._functional_collectives as collectives
        from torch.distributed.tensor import Shard, distribute_tensor, init_device_mesh

        mesh = init_device_mesh("cpu", (1,))
        data = torch.arange(6.0).reshape(3, 2)
        assert digest_tensor(nn.Parameter(distribute_tensor(data, mesh, [Shard(0)]))) == digest_tensor(data)
        assert digest_tensor(collectives.all_reduce(data, "sum", (mesh, 0))) == digest_tensor(data)


@pytest.fixture
def process_group() -> Iterator[None]:
    """Make this process the only one of a process group."""
    store = torch.distributed.HashStore()
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        yield
    finally:
        torch.distributed.destroy_process_group()


class TestRefusals:
    """Tensors whose content cannot be known are refused with the reason, never given some digest."""

    def test_the_error_says_what_and_why(self) -> None:
        """It is one of reproof's errors and names the reason."""
        with pytest.raises(ReproofError) as caught:
            digest_tensor(torch.empty(3, device="meta"))
        assert caught.value.slug == "cannot-digest"
        assert caught.value.problem == "meta tensor: it has no data"
        assert "\n" not in str(caught.value)

    def test_a_fake_tensor_has_no_data(self) -> None:
        """Also one of a dtype and shape that was seen before."""
        digest_tensor(torch.ones(2, 3))
        with FakeTensorMode():
            fake = torch.ones(2, 3)
            with pytest.raises(CannotDigestError, match="fake tensor"):
                digest_tensor(fake)

    def test_an_uninitialized_parameter_has_no_data(self) -> None:
        """Lazy modules have them before their first use."""
        with pytest.raises(CannotDigestError, match="uninitialized parameter: it has no data yet"):
            digest_tensor(nn.LazyLinear(2).weight)

    @pytest.mark.parametrize("kept", [slice(0, None), slice(5, None), 0, 199], ids=str)
    def test_freed_storage_is_not_read(self, kept: slice | int) -> None:
        """FSDP frees parameters and keeps the tensors: reading those would end the process."""
        tensor = torch.ones(200)[kept]
        digest_tensor(tensor)
        tensor.untyped_storage().resize_(0)
        with pytest.raises(CannotDigestError, match="freed"):
            digest_tensor(tensor)

    def test_a_stand_in_of_a_transformation_is_refused(self) -> None:
        """Inside vmap, grad and functionalize a tensor stands for other data."""
        reasons: list[str] = []

        def loss(x: Tensor) -> Tensor:
            with pytest.raises(CannotDigestError) as caught:
                digest_tensor(x)
            reasons.append(caught.value.problem)
            return (x * x).sum()

        digest_tensor(torch.ones(3))
        torch.func.vmap(loss)(torch.ones(2, 3))
        torch.func.grad(loss)(torch.ones(3))
        torch.func.functionalize(loss)(torch.ones(3))
        assert [("torch.func" in reason) for reason in reasons] == [True] * 3

    @pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
    def test_nothing_is_read_while_a_function_is_traced(self) -> None:
        """Reading would become part of the trace."""
        outcomes: list[str] = []

        def double(x: Tensor) -> Tensor:
            try:
                digest_tensor(x)
            except CannotDigestError as error:
                outcomes.append(error.problem)
            return x * 2

        digest_tensor(torch.ones(3))
        torch.jit.trace(double, torch.ones(3), check_trace=False)
        assert len(outcomes) == 1
        assert "torch.jit.trace" in outcomes[0]

    def test_a_class_that_decides_itself_is_refused(self) -> None:
        """Memory of its own proves nothing about what such a tensor means."""
        with pytest.raises(CannotDigestError, match="OpaqueTensor"):
            digest_tensor(torch.ones(3).as_subclass(OpaqueTensor))

    @pytest.mark.parametrize("kind", [RuntimeError, TypeError, ValueError, AttributeError, UserWarning])
    def test_what_pytorch_cannot_read_is_refused(self, kind: type[Exception]) -> None:
        """Whatever it raises, and in one line."""

        class Broken(TwoTensor):
            def __tensor_flatten__(self) -> tuple[list[str], object]:
                raise kind("no parts\nfor two reasons")

        with pytest.raises(CannotDigestError) as caught:
            digest_tensor(Broken(torch.ones(2), torch.ones(2)))
        assert caught.value.problem.endswith("Broken cannot be read: no parts")

    def test_what_is_no_tensor_is_named(self) -> None:
        """The error names the type."""
        with pytest.raises(CannotDigestError, match="value of type int"):
            digest_tensor(3)  # type: ignore[arg-type]


class CountingFunctionMode(TorchFunctionMode):
    """Counts calls that a user's function mode sees."""

    num_calls = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Count and go on."""
        self.num_calls += 1
        return func(*args, **(kwargs or {}))


class CountingDispatchMode(TorchDispatchMode):
    """Counts operations that a user's dispatch mode sees."""

    num_calls = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Count and go on."""
        self.num_calls += 1
        return func(*args, **(kwargs or {}))


def observed_tensors() -> list[Tensor]:
    """Return tensors that take the quick way and every slow one, all part of an autograd graph where possible."""
    leaf = torch.arange(12.0).reshape(4, 3).requires_grad_()
    return [leaf, leaf * 2, (leaf * 2).t(), leaf.as_subclass(PlainSubclass), (leaf * 1j).conj(), leaf.to_sparse()]


class TestObserver:
    """Digesting leaves no trace in what it looks at."""

    def test_modes_of_the_user_see_nothing(self) -> None:
        """Neither function nor dispatch modes are called, whichever way is taken."""
        tensors = observed_tensors()
        indices = list(torch.arange(3))
        without = [*map(digest_tensor, tensors), digest_indices(indices)]
        with CountingFunctionMode() as functions, CountingDispatchMode() as operations:
            within = [*map(digest_tensor, tensors), digest_indices(indices)]
        assert within == without
        assert (functions.num_calls, operations.num_calls) == (0, 0)

    def test_random_numbers_are_not_drawn(self) -> None:
        """The states of all three generators stay as they are."""
        before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tobytes()  # type: ignore[index]  # noqa: NPY002
        for tensor in observed_tensors():
            digest_tensor(tensor)
        digest_array(np.arange(3))
        digest_plain([{1, 2}, "a"])
        assert torch.equal(before[0], torch.get_rng_state())
        assert before[1:] == (random.getstate(), np.random.get_state()[1].tobytes())  # type: ignore[index]  # noqa: NPY002

    def test_autograd_is_not_touched(self) -> None:
        """Graph, versions and gradient mode stay, and the gradients come out as without it."""
        leaf = torch.arange(3.0).requires_grad_()
        product = leaf * leaf
        node, version = product.grad_fn, product._version
        digest_tensor(product)
        digest_tensor(product[::2])
        assert product.grad_fn is node
        assert product._version == version
        assert torch.is_grad_enabled()
        product.sum().backward()
        assert leaf.grad is not None
        assert leaf.grad.tolist() == [0.0, 2.0, 4.0]

    def test_a_refusal_restores_everything(self) -> None:
        """Modes and gradients are on again after an error."""
        with CountingFunctionMode() as functions:
            with pytest.raises(CannotDigestError):
                digest_tensor(torch.ones(3).as_subclass(OpaqueTensor))
            functions.num_calls = 0
            torch.ones(2)
        assert functions.num_calls == 1
        assert torch.is_grad_enabled()

    def test_without_numpy_tensors_have_the_same_digest(self) -> None:
        """It is optional: a fresh process in which it cannot be imported."""
        code = (
            "import sys, warnings; sys.modules['numpy'] = None; warnings.simplefilter('ignore'); import torch; "
            "from reproof.digest import digest_tensor, digest_plain; "
            "print(digest_tensor(torch.arange(6.)).hex(), digest_plain([1, 'a']).hex())"
        )
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert run.stdout.split() == [digest_tensor(torch.arange(6.0)).hex(), digest_plain([1, "a"]).hex()]

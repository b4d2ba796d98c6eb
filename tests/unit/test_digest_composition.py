"""Digests of what is made of parts are those that docs/digests.md defines: kinds, dims and parts, word for word."""

from __future__ import annotations

import struct
from array import array
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
import xxhash
from torch import Tensor
from torch.testing._internal.two_tensor import TwoTensor

from reproof.digest import (
    CannotDigestError,
    arrays,
    copy_bytes,
    digest_array,
    digest_indices,
    digest_plain,
    digest_tensor,
)
from reproof.digest.tensors import locate_tensor
from reproof.digest.values import digest_integers

if TYPE_CHECKING:
    from collections.abc import Sequence

DENSE = torch.tensor([[0.0, 1.5], [2.0, 0.0]])


def composed(header: str, parts: Sequence[bytes]) -> bytes:
    """Return the digest of parts as docs/digests.md defines it."""
    return xxhash.xxh3_128_digest(b"".join(parts), seed=xxhash.xxh3_64_intdigest(header.encode()))


def digests_of(*tensors: Tensor) -> list[bytes]:
    """Return the digests of dense parts."""
    return [digest_tensor(tensor) for tensor in tensors]


class Labelled(TwoTensor):
    """A wrapper whose context holds a dtype, a tensor and a text."""

    def __tensor_flatten__(self) -> tuple[list[str], object]:
        """Name the parts, and what there is besides."""
        return ["a", "b"], {"dtype": torch.float16, "mean": torch.ones(1), "unit": "m"}


class TestTensors:
    """Tensors that are no stretch of memory."""

    @pytest.mark.filterwarnings("ignore:Sparse .* beta state:UserWarning")
    @pytest.mark.parametrize("layout", ["sparse_csr", "sparse_csc", "sparse_bsr", "sparse_bsc"])
    def test_compressed(self, layout: str) -> None:
        """Indices by their names, then values."""
        blocks = {"blocksize": (1, 1)} if "bs" in layout else {}
        tensor = DENSE.to_sparse(layout=getattr(torch, layout), **blocks)
        names = ("crow_indices", "col_indices") if layout.endswith("r") else ("ccol_indices", "row_indices")
        parts = digests_of(*(getattr(tensor, name)() for name in names), tensor.values())
        assert digest_tensor(tensor) == composed(f"{layout}:float32|2,2", parts)

    def test_coordinates(self) -> None:
        """Indices and values."""
        tensor = DENSE.to_sparse()
        assert digest_tensor(tensor) == composed(
            "sparse_coo:float32|2,2", digests_of(tensor.indices(), tensor.values())
        )

    @pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors:UserWarning")
    def test_nested(self) -> None:
        """The number of components, and they themselves."""
        parts = [torch.ones(2, 3), torch.zeros(1, 3)]
        assert digest_tensor(torch.nested.nested_tensor(parts)) == composed("nested:float32|2", digests_of(*parts))

    @pytest.mark.filterwarnings("ignore:.*quantized tensor:UserWarning")
    def test_quantized_per_tensor(self) -> None:
        """Scale and zero point, then integers."""
        tensor = torch.quantize_per_tensor(DENSE, 0.5, 1, torch.quint8)
        parts = [digest_plain((0.5, 1)), *digests_of(tensor.int_repr())]
        assert digest_tensor(tensor) == composed("quint8:per_tensor_affine|2,2", parts)

    @pytest.mark.filterwarnings("ignore:.*quantized tensor:UserWarning")
    def test_quantized_per_channel(self) -> None:
        """The axis, then integers, scales and zero points."""
        scales, zeros = torch.tensor([0.5, 0.25], dtype=torch.float64), torch.tensor([1, 2])
        tensor = torch.quantize_per_channel(DENSE, scales, zeros, 1, torch.qint8)
        parts = [digest_plain((1,)), *digests_of(tensor.int_repr(), scales, zeros)]
        assert digest_tensor(tensor) == composed("qint8:per_channel_affine|2,2", parts)

    @pytest.mark.parametrize("kind", [TwoTensor, Labelled])
    def test_wrapper(self, kind: type[TwoTensor]) -> None:
        """The context, then each part after its name; a dtype in the context is its name as an array would be."""
        tensor = kind(torch.ones(2), torch.zeros(2))
        context = tensor.__tensor_flatten__()[1]
        names = [digest_plain(name) for name in "ab"]
        parts = [digest_context(context), names[0], *digests_of(tensor.a), names[1], *digests_of(tensor.b)]
        name = f"{kind.__module__}.{kind.__qualname__}"
        assert digest_tensor(tensor) == composed(f"subclass:{name}:float32|2", parts)


def digest_context(context: object) -> bytes:
    """Return the digest of the context of one of the two wrappers."""
    if context is None:
        return digest_plain(None)
    dtype, mean = digest_plain("torch.float16"), digest_tensor(torch.ones(1))
    pairs = [(text("dtype"), item("a", dtype)), (text("mean"), item("a", mean)), (text("unit"), text("m"))]
    payload = b"".join(key + value for key, value in pairs)
    return composed("plain|", [b"d" + struct.pack("<Q", len(pairs)) + payload])


def item(tag: str, payload: bytes) -> bytes:
    """Return an encoded plain value."""
    return tag.encode() + struct.pack("<Q", len(payload)) + payload


def text(value: str) -> bytes:
    """Return an encoded text."""
    return item("s", value.encode())


class TestArrays:
    """Arrays of numpy that are no numbers in a row."""

    def test_masked(self) -> None:
        """Data, masked elements too, and mask."""
        data, mask = np.array([1.0, 2.0]), np.array([False, True])
        parts = [digest_array(data), digest_array(mask)]
        assert digest_array(np.ma.array(data, mask=mask)) == composed("masked|2", parts)

    def test_struct(self) -> None:
        """For each field its name and its array."""
        array = np.array([(1, 2.0)], dtype=[("n", "i2"), ("x", "f8")])
        parts = [digest_plain("n"), digest_array(array["n"]), digest_plain("x"), digest_array(array["x"])]
        assert digest_array(array) == composed("struct|1", parts)

    def test_objects(self) -> None:
        """Each element as a plain value, an array among them as itself."""
        array = np.array([1, "a", None], dtype=object)
        assert digest_array(array) == composed("object|3", [digest_plain(value) for value in (1, "a", None)])

    @pytest.mark.parametrize("order", ["<", ">"])
    @pytest.mark.parametrize(
        ("code", "kind"), [("f4", "float32"), ("i8", "int64"), ("c16", "complex128"), ("U2", "str64")]
    )
    def test_the_order_of_bytes(self, order: str, code: str, kind: str) -> None:
        """Bytes as they are stored; big-endian ones say so."""
        array = np.array([1, 2]).astype(f"{order}{code}")
        header = f"{'>' if order == '>' else ''}{kind}|2"
        assert digest_array(array) == composed(header, [array.tobytes()])

    @pytest.mark.parametrize("code", ["i1", "u1", "?", "S3", "V2"])
    def test_bytes_have_no_order(self, code: str) -> None:
        """What is made of single bytes is the same in either."""
        array = np.zeros(2, dtype=f">{code}")
        names = {"i1": "int8", "u1": "uint8", "?": "bool", "S3": "bytes24", "V2": "void16"}
        assert digest_array(array) == composed(f"{names[code]}|2", [array.tobytes()])

    def test_a_machine_of_the_other_order_says_so(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Native numbers are big-endian there, single bytes are not."""
        monkeypatch.setattr(arrays.sys, "byteorder", "big")
        assert [arrays._kind_of(np.dtype(code)) for code in ("f4", "i1", "S2")] == [">float32", "int8", "bytes16"]

    @pytest.mark.parametrize(
        ("code", "kind"), [("M8[s]", "datetime64[s]"), ("m8[D]", "timedelta64[D]"), ("V0", "void0")]
    )
    def test_dates_and_nothing(self, code: str, kind: str) -> None:
        """Dates with their unit; elements without bytes."""
        array = np.zeros(2, dtype=code)
        assert digest_array(array) == composed(f"{kind}|2", [array.tobytes()])

    @pytest.mark.skipif(not hasattr(np, "dtypes") or not hasattr(np.dtypes, "StringDType"), reason="numpy 2 has them")
    def test_strings_of_any_width(self) -> None:
        """Each as a plain value."""
        array = np.array(["a", "bcd"], dtype=np.dtypes.StringDType())
        assert digest_array(array) == composed("string|2", [digest_plain("a"), digest_plain("bcd")])

    @pytest.mark.parametrize(
        ("value", "problem"),
        [
            (3, "value of type int: not a numpy array"),
            (np.zeros(1, dtype="i1,i2"), "array of .*: it is made of several arrays"),
            (np.array([None]), "array of object: its elements are not known to be plain data"),
        ],
    )
    def test_refusals_say_why(self, value: Any, problem: str) -> None:
        """The type or the dtype, and what is wrong with it."""
        with pytest.raises(CannotDigestError, match=problem):
            arrays.locate_array(value) if isinstance(value, np.ndarray) else digest_array(value)

    @pytest.mark.skipif(np.finfo(np.longdouble).nmant != 63, reason="no 80-bit numbers here")
    def test_extended_numbers_in_either_order(self) -> None:
        """Ten bytes of each: the first in little-endian order, the last in big-endian."""
        native = np.array([1, np.nextafter(np.longdouble(2), 3), -3], dtype=np.longdouble)
        width = native.dtype.itemsize
        kept = [native.tobytes()[i * width : i * width + 10] for i in range(3)]
        assert digest_array(native) == composed("float80|3", kept)
        swapped = native.astype(native.dtype.newbyteorder(">"))
        kept = [swapped.tobytes()[(i + 1) * width - 10 : (i + 1) * width] for i in range(3)]
        assert digest_array(swapped) == composed(">float80|3", kept)


class TestElements:
    """The elements of a tensor as bytes, for weights and numbers beside a digest."""

    @pytest.mark.parametrize("tensor", [DENSE, DENSE.t(), DENSE[:, 1], torch.ones(0), DENSE.to(torch.complex64).conj()])
    def test_in_row_major_order(self, tensor: Tensor) -> None:
        """However they lie in memory, at the first sight of a shape and later."""
        expected = tensor.resolve_conj().contiguous().numpy().tobytes()
        assert [copy_bytes(tensor) for _ in range(2)] == [expected] * 2

    def test_what_is_not_dense_has_none(self) -> None:
        """Sparse tensors and wrappers, whose parts have other elements."""
        assert copy_bytes(DENSE.to_sparse()) is None
        assert copy_bytes(TwoTensor(torch.ones(2), torch.zeros(2))) is None

    def test_what_has_no_data_is_refused(self) -> None:
        """As by `digest_tensor`, before anything is tried."""
        with pytest.raises(CannotDigestError, match="meta tensor: it has no data"):
            copy_bytes(torch.empty(2, device="meta"))

    @pytest.mark.parametrize("tensor", [DENSE, DENSE.t()])
    def test_what_does_not_fit_is_not_copied(self, tensor: Tensor) -> None:
        """The guard is asked with the tensor, in place or not."""
        digest_tensor(DENSE)
        asked: list[Tensor] = []
        assert locate_tensor(tensor, lambda found: asked.append(found) is not None) is None
        assert len(asked) == 1
        assert asked[0] is tensor
        found = locate_tensor(tensor, lambda _: True)
        assert found is not None
        assert (found.kind, tuple(found.shape)) == ("float32", (2, 2))


def test_indices_are_vectors_unless_single() -> None:
    """A list of one index is no single index."""
    assert digest_indices([3]) == digest_tensor(torch.tensor([3]))
    assert digest_indices(3) == digest_tensor(torch.tensor(3))
    assert digest_indices([torch.tensor(3)]) == digest_integers(array("q", [3])) == digest_indices([3])
    assert digest_integers(array("q", [3]), is_single=True) == digest_indices(3) != digest_indices([3])

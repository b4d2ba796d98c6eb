"""Pickles of plain values are read as `pickle.load` would, and hostile ones run nothing at all."""

from __future__ import annotations

import base64
import collections
import contextlib
import datetime as dt
import io
import os
import pickle
import random
import struct
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from reproof.errors import TraceError
from reproof.legacy import restricted_pickle
from reproof.legacy.pickled_array import PickledArray
from reproof.legacy.restricted_pickle import load_plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROTOCOLS = range(6)

# {"a": arange(3), "b": float32(1.5), "c": a 2x2 array in Fortran order}, by numpy 1.26.4 with protocols 2 and 5.
NUMPY_1 = {
    2: (
        "gAJ9cQAoWAEAAABhcQFjbnVtcHkuY29yZS5tdWx0aWFycmF5Cl9yZWNvbnN0cnVjdApxAmNudW1weQpuZGFycmF5CnEDSwCFcQRjX2Nv"
        "ZGVjcwplbmNvZGUKcQVYAQAAAGJxBlgGAAAAbGF0aW4xcQeGcQhScQmHcQpScQsoSwFLA4VxDGNudW1weQpkdHlwZQpxDVgCAAAAaThx"
        "DomIh3EPUnEQKEsDWAEAAAA8cRFOTk5K/////0r/////SwB0cRJiiWgFWBgAAAAAAAAAAAAAAAEAAAAAAAAAAgAAAAAAAABxE2gHhnEU"
        "UnEVdHEWYlgBAAAAYnEXY251bXB5LmNvcmUubXVsdGlhcnJheQpzY2FsYXIKcRhoDVgCAAAAZjRxGYmIh3EaUnEbKEsDaBFOTk5K////"
        "/0r/////SwB0cRxiaAVYBQAAAAAAw4A/cR1oB4ZxHlJxH4ZxIFJxIVgBAAAAY3EiaAJoA0sAhXEjaAmHcSRScSUoSwFLAksChnEmaA1Y"
        "AgAAAGY4cSeJiIdxKFJxKShLA2gRTk5OSv////9K/////0sAdHEqYohoBVghAAAAAAAAAAAAw7A/AAAAAAAACEAAAAAAAAAAQAAAAAAA"
        "ABBAcStoB4ZxLFJxLXRxLmJ1Lg=="
    ),
    5: (
        "gAWVTAEAAAAAAAB9lCiMAWGUjBJudW1weS5jb3JlLm51bWVyaWOUjAtfZnJvbWJ1ZmZlcpSTlCiWGAAAAAAAAAAAAAAAAAAAAAEAAAAA"
        "AAAAAgAAAAAAAACUjAVudW1weZSMBWR0eXBllJOUjAJpOJSJiIeUUpQoSwOMATyUTk5OSv////9K/////0sAdJRiSwOFlIwBQ5R0lFKU"
        "jAFilIwVbnVtcHkuY29yZS5tdWx0aWFycmF5lIwGc2NhbGFylJOUaAiMAmY0lImIh5RSlChLA2gMTk5OSv////9K/////0sAdJRiQwQA"
        "AMA/lIaUUpSMAWOUaAQoliAAAAAAAAAAAAAAAAAA8D8AAAAAAAAIQAAAAAAAAABAAAAAAAAAEECUaAiMAmY4lImIh5RSlChLA2gMTk5O"
        "Sv////9K/////0sAdJRiSwJLAoaUjAFGlHSUUpR1Lg=="
    ),
}


class Call:
    """An object whose pickle asks for a call when it is loaded."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Take what is to be called."""
        self._reduced = (function, arguments)

    def __reduce__(self) -> tuple[Any, ...]:
        """Let the pickle ask for the call."""
        return self._reduced


def text(value: str) -> bytes:
    """Return the opcode that pushes a string."""
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def python_of(value: object) -> object:
    """Return what was read with arrays as nested tuples."""
    return value.to_python() if isinstance(value, PickledArray) else value


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_plain_values_come_back_as_they_were(protocol: int) -> None:
    """Containers, numbers and strings of Python are read from every protocol."""
    shared = [1, 2]
    value = {
        "numbers": [0, 1, -1, 255, 65536, -(2**31), 2**40, 2**2100, True, False, None, 0.1, -0.0, float("inf"), 1e-320],
        "texts": ["", "plain", "é\n\\ 'x' \"y\"", "\U0001f600", b"", b"\x00\xff", bytearray(b"ab")],
        "containers": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), [], {}, {"a": [{}]}, {1, 2}, frozenset("ab"), set()],
        "shared": [shared, shared],
        "complex": 1 - 2j,
    }

    loaded = load_plain(pickle.dumps(value, protocol), "x.pkl")

    assert loaded == value
    assert isinstance(loaded, dict)
    assert [type(item) for item in loaded["numbers"]] == [type(item) for item in value["numbers"]]
    assert str(loaded["numbers"][12]) == "-0.0"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_torch_size_is_a_tuple_and_ordered_dict_a_dict(protocol: int) -> None:
    """Two classes are known that hold plain items only; they become plain."""
    value = [torch.Size([8, 1, 100]), torch.Size([]), collections.OrderedDict(b=1, a=2)]

    loaded = load_plain(pickle.dumps(value, protocol), "x.pkl")

    assert loaded == [(8, 1, 100), (), {"b": 1, "a": 2}]
    assert isinstance(loaded, list)
    assert [type(item) for item in loaded] == [tuple, tuple, dict]


DTYPES = [
    "?",
    "i1",
    "i2",
    "<i4",
    ">i4",
    "i8",
    "u1",
    "u2",
    "u4",
    "u8",
    "f2",
    "f4",
    ">f8",
    "f8",
    "c8",
    "c16",
    "<U3",
    ">U3",
]


def array_of(dtype: str, *shape: int) -> np.ndarray[Any, Any]:
    """Return an array with different elements."""
    return np.arange(int(np.prod(shape)), dtype="i8").reshape(shape).astype(dtype)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_numpy_arrays_and_scalars_are_decoded_exactly(dtype: str, protocol: int) -> None:
    """Each dtype of numbers and strings, in both byte orders, gives what `tolist` gives."""
    array = array_of(dtype, 2, 3)

    loaded = load_plain(pickle.dumps([array, array[1, 2], array[0]], protocol), "x.pkl")

    assert isinstance(loaded, list)
    assert python_of(loaded[0]) == tuple(map(tuple, array.tolist()))
    assert python_of(loaded[1]) == array[1, 2].item()
    assert python_of(loaded[2]) == tuple(array[0].tolist())


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_numpy_layouts_are_understood(protocol: int) -> None:
    """Fortran order, permuted axes, strides, no dimension and no element make no difference to the values."""
    base = array_of("f4", 2, 3, 4)
    empty = np.zeros((2, 0, 3))
    layouts = [base, np.asfortranarray(base), base.transpose(1, 0, 2), base[:, ::2, ::-1], np.array(1.5), empty]
    layouts += [empty.T, np.array([])]

    loaded = load_plain(pickle.dumps(layouts, protocol), "x.pkl")

    assert isinstance(loaded, list)
    assert [np.array(python_of(item)).tolist() for item in loaded] == [item.tolist() for item in layouts]


@pytest.mark.parametrize("protocol", sorted(NUMPY_1))
def test_pickles_of_numpy_1_are_read(protocol: int) -> None:
    """The module paths of numpy 1.x mean the same as those of 2.x."""
    loaded = load_plain(base64.b64decode(NUMPY_1[protocol]), "x.pkl")

    assert isinstance(loaded, dict)
    assert {key: python_of(item) for key, item in loaded.items()} == {
        "a": (0, 1, 2),
        "b": 1.5,
        "c": ((1.0, 2.0), (3.0, 4.0)),
    }


def test_reading_imports_neither_torch_nor_numpy() -> None:
    """A file with torch.Size and numpy arrays is read where neither can be imported."""
    data = pickle.dumps([torch.Size([2]), np.arange(3), np.float64(2.5)], 4)
    code = (
        "import sys; sys.modules['torch'] = sys.modules['numpy'] = None\n"
        "from reproof.legacy.restricted_pickle import load_plain\n"
        f"size, array, number = load_plain({data!r}, 'x.pkl'); print(size, array.to_python(), number)"
    )

    output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout

    assert output.strip() == "(2,) (0, 1, 2) 2.5"


def hostile_programs(marker: Path) -> dict[str, tuple[bytes, str]]:
    """Return pickles that make a file when `pickle.load` reads them, with the name that must be refused."""
    shell = f"touch {marker}"
    python = f"open({str(marker)!r}, 'w').close()"
    make = ["touch", str(marker)]
    system = "nt.system" if os.name == "nt" else "posix.system"
    programs = {f"reduce{p}": (pickle.dumps([Call(os.system, shell)], p), system) for p in PROTOCOLS}
    programs |= {f"eval{p}": (pickle.dumps(Call(eval, python), p), "builtins.eval") for p in PROTOCOLS}
    return programs | {
        "exec": (pickle.dumps(Call(exec, python), 4), "builtins.exec"),
        "popen": (pickle.dumps(Call(subprocess.call, make), 4), "subprocess.call"),
        "open": (pickle.dumps(Call(io.open, str(marker), "w"), 4), ".open"),
        "method": (pickle.dumps(Call(Path.touch, marker), 4), "Path.touch"),
        "getattr": (b"c__builtin__\ngetattr\n(c__builtin__\n__import__\n" + text("os") + b"\x85R" + text("system")
                    + b"tR" + text(shell) + b"\x85R.", "builtins.getattr"),
        "import": (b"c__builtin__\n__import__\n" + text("os") + b"\x85R0" + b"cos\nsystem\n" + text(shell) + b"\x85R.",
                   "builtins.__import__"),
        "global": (b"cos\nsystem\n(" + text(shell) + b"tR.", "os.system"),
        "stack global": (b"\x80\x04" + text("os") + text("system") + b"\x93" + text(shell) + b"\x85R.", "os.system"),
        "dotted": (b"\x80\x04" + text("torch") + text("os.system") + b"\x93" + text(shell) + b"\x85R.",
                   "torch.os.system"),
        "inst": (b"(" + text(shell) + b"ios\nsystem\n.", "os.system"),
        "obj": (b"(cos\nsystem\n" + text(shell) + b"o.", "os.system"),
        "newobj": (b"\x80\x02csubprocess\nPopen\n" + text(shell) + b"\x85\x81.", "subprocess.Popen"),
        "newobj_ex": (b"\x80\x04csubprocess\nPopen\n" + text(shell) + b"\x85}\x92.", "subprocess.Popen"),
        "memoised": (b"\x80\x02cos\nsystem\nq\x000]h\x00" + text(shell) + b"\x85Ra.", "os.system"),
        "inside a record": (pickle.dumps([{"batch_idx": Call(os.system, shell)}], 4), system),
        "argument": (pickle.dumps(Call(collections.defaultdict, Call(os.system, shell)), 4), "collections.defaultdict"),
    }  # fmt: skip


HARMLESS = {"newobj", "newobj_ex", "dotted"}
"""Only `Popen.__init__` runs programs, and today's torch has no `os`; they are refused all the same."""
NAMES = sorted(hostile_programs(Path("x")))


@pytest.mark.parametrize("name", NAMES)
def test_a_program_in_a_pickle_is_refused_by_name_and_not_run(name: str, tmp_path: Path) -> None:
    """Whatever way the call is spelled, it is refused by the name of the function, and nothing is run."""
    marker = tmp_path / "marker"
    data, refused = hostile_programs(marker)[name]

    with pytest.raises(TraceError) as caught:
        load_plain(data, "evil.pkl")

    assert not marker.exists()
    message = str(caught.value)
    assert message.startswith("evil.pkl: refuses ")
    assert refused in message
    assert "\n" not in message


@pytest.mark.parametrize("name", sorted(set(NAMES) - HARMLESS))
def test_the_hostile_pickles_of_these_tests_are_hostile(name: str, tmp_path: Path) -> None:
    """The marker that the tests look for is made when Python's own reader loads the same bytes."""
    marker = tmp_path / "marker"
    data, _ = hostile_programs(marker)[name]

    code = f"import pickle\ntry:\n    pickle.loads({data!r})\nexcept TypeError:\n    pass"
    subprocess.run([sys.executable, "-c", code], check=True)

    assert marker.exists()


OBJECT_ARRAY = pickle.dumps(np.array([None, "x"], object), 4)
STRUCTURED = pickle.dumps(np.zeros(1, [("a", "i4"), ("b", object)]), 4)
ARRAY = pickle.dumps(np.arange(3), 4)


@pytest.mark.parametrize(
    ("data", "refused"),
    [
        (b"Pname\n.", "opcode PERSID 'name'"),
        (b"K\x01Q.", "opcode BINPERSID"),
        (b"\x82\x01.", "opcode EXT1 1"),
        (b"\x83\x01\x00.", "opcode EXT2 1"),
        (b"\x84\x01\x00\x00\x00.", "opcode EXT4 1"),
        (b"\x80\x05\x97.", "opcode NEXT_BUFFER"),
        (b"\x80\x05C\x01a\x98.", "opcode READONLY_BUFFER"),
        (b"\x80\x06N.", "protocol 6"),
        (b"(itorch\nSize\n.", "refuses torch.Size"),
        (b"}}b.", "a state set on a value of type dict"),
        (b"X\x01\x00\x00\x00a)R.", "a call of 'a'"),
        (b"cnumpy\ndtype\n]R.", "a call of"),
        (b"cnumpy\nndarray\nJ\x00\x00\x00\x7f\x85\x85R.", "a direct call of numpy.ndarray"),
        (b"cnumpy\nndarray\n)\x81.", "opcode NEWOBJ"),
        (b"}K\x01]a.", "APPEND on 1"),
        (b"}(]K\x01u.", "a value of type list as a key"),
        (b"\x8f(K\x01\x85\x90.", "(1,) as a key"),
        (b"ccollections\nOrderedDict\n]\x85R.", "an OrderedDict made from arguments"),
        (b"c_codecs\nencode\n" + text("x") + text("rot13") + b"\x86R.", "bytes of an unknown encoding"),
        (OBJECT_ARRAY, "numpy dtype 'O8'"),
        (STRUCTURED, "numpy dtype 'V12'"),
        (pickle.dumps(np.datetime64("2024-01-01"), 4), "numpy dtype 'M8'"),
        (pickle.dumps(np.longdouble(1), 4), "numpy dtype 'f16'"),
        (ARRAY.replace(b"K\x03\x85", b"K\x07\x85"), "a numpy array of shape (7,) and dtype 'i8' in 24 bytes"),
        (ARRAY.replace(b"K\x03\x8c\x01<", b"K\x03\x8c\x01="), "a numpy dtype 'i8' with fields or metadata"),
        (pickle.dumps(np.ma.array([1]), 4), "numpy.ma"),
        (pickle.dumps(torch.zeros(2), 4), "torch._utils._rebuild_tensor_v2"),
        (pickle.dumps(torch.float32, 4), "refuses "),
        (pickle.dumps(collections.defaultdict(list), 4), "collections.defaultdict"),
        (pickle.dumps(collections.Counter("a"), 4), "collections.Counter"),
        (pickle.dumps(dt.timedelta(1), 4), "datetime.timedelta"),
        (b"c" + b"a\tb" + b"\nx\n.", "a\\tb.x"),
        (b"\x80\x04" + text("a\nb") + text("c" * 500) + b"\x93.", "a\\nb.cccc"),
        (b"\x80\x04K\x01K\x02\x93.", "a name made of 1 and 2"),
    ],
)  # fmt: skip
def test_what_is_not_plain_is_refused_with_its_name_in_one_line(data: bytes, refused: str) -> None:
    """Objects, references to the outside and arrays of objects are refused, each by what it is."""
    with pytest.raises(TraceError) as caught:
        load_plain(data, "evil.pkl")

    message = str(caught.value)
    assert refused in message
    assert message.startswith("evil.pkl: refuses ")
    assert message.isprintable()
    assert len(message) < 400


@pytest.fixture
def peak_bytes() -> Iterator[Callable[[], int]]:
    """Return a function that tells how much memory was reserved at most since the test began."""
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()


BOMBS = {
    "BINBYTES": b"B\xff\xff\xff\xffabc.",
    "BINBYTES8": b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x3fabc.",
    "BINUNICODE8": b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x7fabc.",
    "BYTEARRAY8": b"\x80\x05\x96\x00\x00\x00\x00\x00\x00\x00\x40abc.",
    "FRAME": b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7fN",
    "LONG4": b"\x80\x02\x8b\xff\xff\xff\x7f\x01.",
    "LONG": b"L" + b"9" * 1_000_000 + b"L\n.",
    "BINPUT far": b"Nr\xff\xff\xff\x7f0j\xff\xff\xff\x7e.",
    "marks": b"(" * 500_000 + b".",
    "empty sets": b"\x80\x04(" + b"\x8f" * 500_000 + b"l.",
    "memo": b"N" + b"\x94" * 500_000 + b".",
    "copies": b"](" + b"N" * 90_000 + b"eq\x00(" + b"ctorch\nSize\nh\x00\x85R" * 10_000 + b"l.",
}


@pytest.mark.parametrize("name", sorted(BOMBS))
def test_a_memory_bomb_is_refused_before_it_takes_memory(
    name: str, peak_bytes: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few bytes that ask for gigabytes, and copies of copies, end in an error within the limit on values."""
    monkeypatch.setattr(restricted_pickle, "MAX_WEIGHT", 100_000)

    with pytest.raises(TraceError, match=r"^evil\.pkl: "):
        load_plain(BOMBS[name], "evil.pkl")

    assert peak_bytes() < 20_000_000


def test_deep_nesting_and_self_reference_do_not_crash_the_reader() -> None:
    """A list that holds itself and one a million deep are read without recursion."""
    itself = load_plain(b"]q\x00h\x00a.", "x.pkl")
    deep = load_plain(b"]" * 1_000_000 + b"a" * 999_999 + b".", "x.pkl")

    assert isinstance(itself, list)
    assert itself[0] is itself
    assert isinstance(deep, list)
    assert len(deep) == 1


def test_every_truncation_is_an_error() -> None:
    """A file cut anywhere is refused with one line that names it."""
    data = pickle.dumps([{"a": [1, 2.5, "x"], "b": np.arange(3), "c": torch.Size([2])}], 4)

    for length in range(len(data)):
        with pytest.raises(TraceError, match=r"^cut\.pkl: "):
            load_plain(data[:length], "cut.pkl")


def test_bytes_after_the_end_are_an_error() -> None:
    """A second pickle behind the first is not passed over in silence."""
    with pytest.raises(TraceError, match="5 bytes after the end"):
        load_plain(pickle.dumps(1, 2) + pickle.dumps(20, 2), "x.pkl")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_damaged_bytes_never_raise_anything_else(protocol: int) -> None:
    """Random damage is read as some plain value or refused as a trace error, never another exception."""
    source = random.Random(protocol)  # repeatable damage
    data = pickle.dumps([{"a": [1, 2.5, "x", {3}], "b": np.arange(3), "c": torch.Size([2]), "d": b"z"}], protocol)

    for _ in range(1500):
        damaged = bytearray(data)
        for _ in range(source.randint(1, 3)):
            damaged[source.randrange(len(data))] = source.randrange(256)
        with contextlib.suppress(TraceError):
            load_plain(bytes(damaged), "x.pkl")

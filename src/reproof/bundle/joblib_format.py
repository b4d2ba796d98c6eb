"""Read the state of a scikit-learn scaler from a joblib file without unpickling it.

A joblib file is a pickle in which the elements of arrays stand as raw bytes after the object that describes them
(https://github.com/joblib/joblib/blob/1.5.0/joblib/numpy_pickle.py, NumpyArrayWrapper). The opcodes are
interpreted here, which imports nothing: the only classes are the scalers of a fixed list, which become plain records.
Everything else is refused by name.
"""

from __future__ import annotations

import struct
import warnings
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final

from reproof.bundle.scalers import KNOWN, describe_plain_scaler, is_state
from reproof.errors import BundleError, TraceError
from reproof.legacy.pickled_array import PickledArray, PickledDtype, RefusedError, quote
from reproof.legacy.restricted_pickle import PickledName, PlainMachine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MAX_FILE_BYTES: Final = 64 << 20
_REMEDY: Final = "nothing of it was run; save one scaler of scikit-learn alone, or leave the file out"
_SCALERS: Final = {f"sklearn.preprocessing.{module}.{kind}": kind for kind in KNOWN for module in ("_data", "data")}
_WRAPPER: Final = "joblib.numpy_pickle.NumpyArrayWrapper"
_ARRAY: Final = "numpy.ndarray"
_COMPRESSED: Final = {b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"]\x00": "lzma", b"\x04\x22\x4d\x18": "lz4"}


def read_joblib_scaler(data: bytes, source: str) -> dict[str, Any]:
    """Return the exact state of the scaler that a joblib file holds, as `describe_scaler` does.

    Raises BundleError if it holds anything else, or is damaged; nothing of it was run.
    """
    machine = _ScalerMachine(_decompress(data, source))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pickletools warns of odd escapes in damaged data
            value = machine.run()
        if not isinstance(value, _Scaler):
            raise RefusedError(quote(value))  # noqa: TRY301  # one place for all reasons
        return _describe(value)
    except RefusedError as refusal:
        problem = f"{source}: refuses {refusal} (byte {machine.position})"
        raise BundleError(problem, _REMEDY, slug="pickle-refused") from None
    except (ValueError, IndexError, KeyError, TypeError, struct.error, OverflowError, TraceError) as error:
        problem = f"{source}: not a readable joblib file, at byte {machine.position} ({quote(str(error))})"
        raise BundleError(problem, _REMEDY, slug="pickle-damaged") from None


def _decompress(data: bytes, source: str) -> bytes:
    for start, name in _COMPRESSED.items():
        if data.startswith(start):
            raise BundleError(f"{source} is compressed with {name}", "save it without compression, or with zlib")
    if data[:1] == b"\x78" or data[:2] == b"\x1f\x8b":
        try:
            data = zlib.decompressobj(wbits=47).decompress(data, MAX_FILE_BYTES + 1)
        except zlib.error as error:
            raise BundleError(f"{source} is damaged ({error})", _REMEDY) from None
    if len(data) > MAX_FILE_BYTES:
        raise BundleError(f"{source} has more than {MAX_FILE_BYTES} bytes", _REMEDY)
    return data


@dataclass(slots=True)
class _Scaler:
    """A scaler in a pickle: its class by name, and its attributes once they are set."""

    kind: str
    state: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class _Wrapper:
    """The description of an array whose elements follow."""


class _ScalerMachine(PlainMachine):
    """An interpreter of plain values, extended by scalers and by arrays as joblib writes them."""

    def _make_object(self, _: str, __: object) -> None:
        arguments, kind = self._stack.pop(), self._stack.pop()
        if not isinstance(kind, PickledName) or arguments != ():
            raise RefusedError(f"an object of {quote(kind)}")
        if kind.text in _SCALERS:
            self._stack.append(_Scaler(_SCALERS[kind.text]))
        elif kind.text == _WRAPPER:
            self._stack.append(_Wrapper())
        else:
            raise RefusedError(f"an object of {kind.text}")

    def _set_state(self, opcode: str, argument: object) -> None:
        target = self._stack[-2]
        if target is OBJECT:
            self._stack.pop()
            return
        if not isinstance(target, (_Scaler, _Wrapper)):
            self._build(opcode, argument)
            return
        state = self._stack.pop()
        if not isinstance(state, dict) or not all(isinstance(name, str) for name in state):
            raise RefusedError(f"a state that is {quote(state)}")
        if isinstance(target, _Scaler):
            target.state = state
        else:
            self._stack[-1] = self._read_array(state)

    def _read_array(self, state: dict[str, Any]) -> Any:
        """Read the elements that follow the description of an array."""
        subclass, dtype, shape = state.get("subclass"), state.get("dtype"), state.get("shape")
        if not isinstance(subclass, PickledName) or subclass.text != _ARRAY or state.get("order") not in {"C", "F"}:
            raise RefusedError("an array of an unknown class")
        if dtype is OBJECT:
            return self._read_names(shape)
        if not isinstance(dtype, PickledDtype) or not isinstance(shape, tuple):
            raise RefusedError("an array of an unknown type")
        if state.get("numpy_array_alignment_bytes") is not None:
            padding = self._stream.read(1)
            self._stream.read(padding[0] if padding else 0)
        count = 1
        for size in shape:
            count *= size if type(size) is int and size >= 0 else -1
        if count < 0 or count * dtype.item_bytes > len(self._data):
            raise RefusedError(f"an array of shape {quote(shape)} in {len(self._data)} bytes")
        self._weigh(count)
        raw = self._stream.read(count * dtype.item_bytes)
        return PickledArray.from_buffer((raw, dtype, shape, state["order"]))

    def _read_names(self, shape: Any) -> Any:
        """Read an array of texts, such as the names of columns: a pickle of its own within the file."""
        nested = _NamesMachine(self._data[self._stream.tell() :])
        names = nested.run_program()
        self._stream.seek(nested.position + 1, 1)
        if not isinstance(names, _Names) or shape != names.shape:
            raise RefusedError("an array of objects")
        return names

    readers: ClassVar[Mapping[str, Callable[[tuple[Any, ...]], object]]] = {
        **PlainMachine.readers,
        **dict.fromkeys((*_SCALERS, _WRAPPER), PlainMachine.readers["numpy.ndarray"]),  # to be called directly: refused
        "numpy.dtype": lambda arguments: _read_dtype(arguments),  # noqa: PLW0108  # defined below
    }
    operations: ClassVar[dict[str, Callable[[Any, str, Any], None]]] = {
        **PlainMachine.operations,
        "NEWOBJ": _make_object,
        "BUILD": _set_state,
    }


OBJECT: Final = PickledName("numpy.dtype('O')")


def _read_dtype(arguments: tuple[Any, ...]) -> object:
    return OBJECT if arguments and arguments[0] == "O8" else PickledDtype.from_arguments(arguments)


@dataclass(slots=True)
class _Names:
    """An array of texts."""

    shape: tuple[int, ...] = ()
    values: list[str] = field(default_factory=list)


class _NamesMachine(PlainMachine):
    """An interpreter of plain values, extended by an array of texts."""

    def _set_state(self, opcode: str, argument: object) -> None:
        target = self._stack[-2]
        if isinstance(target, _Names):
            match self._stack.pop():
                case (1, tuple() as shape, _, False, list() as values) if all(type(value) is str for value in values):
                    target.shape, target.values = shape, values
                case _:
                    raise RefusedError("an array of objects")
        elif target is OBJECT:
            self._stack.pop()
        else:
            self._build(opcode, argument)

    readers: ClassVar[Mapping[str, Callable[[tuple[Any, ...]], object]]] = {
        **PlainMachine.readers,
        "numpy.core.multiarray._reconstruct": lambda _: _Names(),
        "numpy._core.multiarray._reconstruct": lambda _: _Names(),
        "numpy.dtype": _read_dtype,
    }
    operations: ClassVar[dict[str, Callable[[Any, str, Any], None]]] = {**PlainMachine.operations, "BUILD": _set_state}


def _describe(scaler: _Scaler) -> dict[str, Any]:
    state = {name: _describe_value(value, name) for name, value in scaler.state.items() if is_state(name)}
    return describe_plain_scaler(scaler.kind, state)


def _describe_value(value: Any, name: str) -> Any:
    if value is None or type(value) in {bool, int, str}:
        return value
    if type(value) is float:
        return {"float": value.hex()}
    if isinstance(value, tuple):
        return {"tuple": [_describe_value(item, name) for item in value]}
    if isinstance(value, _Scaler):
        return _describe(value)
    if isinstance(value, _Names):
        return {"dtype": "object", "shape": list(value.shape), "values": value.values}
    if isinstance(value, PickledArray) and value.dtype is not None:
        dtype = f"{value.dtype.byte_order}{value.dtype.name}"
        items = _flatten(value.to_python())
        return {"dtype": dtype, "shape": list(value.shape), "values": [_spell(item) for item in items]}
    raise RefusedError(f"{quote(name)} of type {type(value).__name__}")


def _spell(item: Any) -> Any:
    return item.hex() if isinstance(item, float) else item


def _flatten(value: Any) -> list[Any]:
    return [leaf for item in value for leaf in _flatten(item)] if isinstance(value, tuple) else [value]

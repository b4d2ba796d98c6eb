"""Read a pickle of plain values without running anything that it asks for.

`pickle.load` calls whatever a file names. Here the opcodes are taken apart by `pickletools.genops`, which runs
nothing, and carried out on a stack of our own, where only plain containers, numbers and strings can arise. Names are
never imported: the few that plain data needs (``torch.Size``, numpy arrays, ``bytes`` of old protocols) stand for a
reader below, and every other one is refused by name. Neither torch nor numpy is imported.

Also guarded: lengths that lie (no memory is reserved ahead of the data), too many values, memo positions, persistent
ids, extension codes, out-of-band buffers. The specification of the opcodes is the `pickletools` module of CPython:
https://docs.python.org/3/library/pickletools.html.

Left out on purpose: every class. A ``defaultdict`` carries a function and is refused; an ``OrderedDict`` holds plain
items only and becomes a dict.
"""

from __future__ import annotations

import io
import pickletools
import struct
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from reproof.errors import TraceError
from reproof.legacy.pickled_array import PickledArray, PickledDtype, RefusedError, decode_scalar, quote

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MAX_WEIGHT: Final = 16_000_000
"""Limit on the values of one pickle: a number weighs 1, an entry of the memo 4, a container 8, a call its arguments."""

HIGHEST_PROTOCOL: Final = 5

_WEIGHTS: Final = dict.fromkeys(
    ("EMPTY_LIST", "EMPTY_DICT", "EMPTY_SET", "LIST", "DICT", "FROZENSET", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"), 8
) | dict.fromkeys(("MARK", "REDUCE", "MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT"), 4)

_CONSTANTS: Final = frozenset({
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
    "STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8",
    "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8",
})  # fmt: skip
_LITERALS: Final[dict[str, Callable[[], object]]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "EMPTY_DICT": dict,
    "EMPTY_SET": set,
}
_TUPLE_SIZES: Final = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_REMEDY: Final = (
    "nothing of it was run; a record holds only plain containers, numbers, strings, torch.Size and numpy arrays, "
    "so write it again with such values"
)


@dataclass(frozen=True, slots=True)
class PickledName:
    """A name that the pickle wants imported and that stands for a reader of ours."""

    text: str


def load_plain(data: bytes, source: str) -> object:
    """Return the value that a pickle of plain values holds.

    Containers, numbers and strings are Python's; ``torch.Size`` becomes a tuple, numpy scalars numbers, numpy arrays
    `PickledArray`. The pickle is whole, of protocol 0 to 5; `source` says where it comes from, for error messages.
    Raises TraceError if the data are no pickle, damaged, too large, or hold anything but plain values.
    """
    machine = PlainMachine(data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # pickletools warns of odd escapes in damaged data, which we report ourselves
            return machine.run()
    except RefusedError as refusal:
        problem = f"{source}: refuses {refusal} (byte {machine.position})"
        raise TraceError(problem, _REMEDY, slug="pickle-refused") from None
    except (ValueError, IndexError, KeyError, TypeError, struct.error, OverflowError) as error:
        problem = f"{source}: not a readable pickle, at byte {machine.position} of {len(data)} ({quote(str(error))})"
        remedy = "it is truncated, damaged or another kind of file; copy it again or record again"
        raise TraceError(problem, remedy, slug="pickle-damaged") from None


class PlainMachine:
    """The stack machine that a pickle is a program of, with the opcodes that make plain values.

    Attributes:
        position: Of the opcode under way.
        readers: What each name that may be asked for stands for; readers of other files derive a machine with more.
    """

    readers: ClassVar[Mapping[str, Callable[[tuple[Any, ...]], object]]] = {}

    def __init__(self, data: bytes) -> None:
        """Begin with an empty stack."""
        self.position = 0
        self._data = data
        self._stream = io.BytesIO(data)
        self._weight = 0
        self._stack: list[Any] = []
        self._marked: list[list[Any]] = []
        self._memo: dict[int, Any] = {}

    def run(self) -> object:
        """Carry out the program and return what it leaves; nothing may follow it."""
        value = self.run_program()
        if self.position + 1 != len(self._data):
            raise ValueError(f"{len(self._data) - self.position - 1} bytes after the end of the pickle")
        return value

    def run_program(self) -> object:
        """Carry out the program and return what it leaves."""
        for opcode, argument, position in pickletools.genops(self._stream):
            name = opcode.name
            self.position = position or 0
            self._weigh(_WEIGHTS.get(name, 1))
            if name in _CONSTANTS:
                self._stack.append(argument)
            elif name in _LITERALS:
                self._stack.append(_LITERALS[name]())
            else:
                self.operations.get(name, PlainMachine._refuse_opcode)(self, name, argument)
        return self._stack.pop()

    def _weigh(self, weight: int) -> None:
        self._weight += weight
        if self._weight > MAX_WEIGHT:
            raise RefusedError(f"more than {MAX_WEIGHT} values")

    def _refuse_opcode(self, opcode: str, argument: object) -> None:
        what = f" {quote(argument)}" if argument is not None else ""
        raise RefusedError(f"the pickle opcode {opcode}{what}")

    def _check_protocol(self, _: str, version: int) -> None:
        if version > HIGHEST_PROTOCOL:
            raise RefusedError(f"pickle protocol {version}, newer than {HIGHEST_PROTOCOL}")

    def _ignore(self, _: str, __: object) -> None:
        """Frames are hints for buffering, and the end needs nothing."""

    def _mark(self, _: str, __: object) -> None:
        self._marked.append(self._stack)
        self._stack = []

    def _pop_mark(self) -> list[Any]:
        items = self._stack
        self._stack = self._marked.pop()
        return items

    def _pop(self, _: str, __: object) -> None:
        if self._stack:
            self._stack.pop()
        else:
            self._pop_mark()

    def _discard_mark(self, _: str, __: object) -> None:
        self._pop_mark()

    def _duplicate(self, _: str, __: object) -> None:
        self._stack.append(self._stack[-1])

    def _put(self, _: str, index: int) -> None:
        self._memo[index] = self._stack[-1]

    def _memoize(self, _: str, __: object) -> None:
        self._memo[len(self._memo)] = self._stack[-1]

    def _get(self, _: str, index: int) -> None:
        self._stack.append(self._memo[index])

    def _make_tuple(self, opcode: str, _: object) -> None:
        size = _TUPLE_SIZES[opcode]
        if len(self._stack) < size:
            raise ValueError("an empty stack")
        items = tuple(self._stack[-size:])
        self._stack[-size:] = [items]

    def _collect(self, opcode: str, _: object) -> None:
        items = self._pop_mark()
        if opcode == "TUPLE":
            self._stack.append(tuple(items))
        elif opcode == "LIST":
            self._stack.append(items)
        elif opcode == "FROZENSET":
            self._stack.append(frozenset(map(_check_key, items)))
        else:
            self._stack.append({})
            self._set_items(items)

    def _append(self, opcode: str, _: object) -> None:
        items = self._pop_mark() if opcode == "APPENDS" else [self._stack.pop()]
        self._target(list, opcode).extend(items)

    def _add_items(self, opcode: str, _: object) -> None:
        items = self._pop_mark()
        self._target(set, opcode).update(map(_check_key, items))

    def _store(self, opcode: str, _: object) -> None:
        items = self._pop_mark() if opcode == "SETITEMS" else [self._stack.pop(-2), self._stack.pop()]
        self._set_items(items)

    def _set_items(self, items: list[Any]) -> None:
        keys = map(_check_key, items[::2])
        self._target(dict, "SETITEMS").update(zip(keys, items[1::2], strict=True))

    def _target(self, kind: type, opcode: str) -> Any:
        target = self._stack[-1]
        if type(target) is not kind:
            raise RefusedError(f"{opcode} on {quote(target)}")
        return target

    def _name(self, opcode: str, argument: object) -> None:
        if opcode == "STACK_GLOBAL":
            attribute, module = self._stack.pop(), self._stack.pop()
        else:
            module, _, attribute = str(argument).partition(" ")
        text = f"{module}.{attribute}" if isinstance(module, str) and isinstance(attribute, str) else ""
        text = text.replace("__builtin__.", "builtins.", 1) if text.startswith("__builtin__.") else text
        if opcode == "INST" or text not in self.readers:
            raise RefusedError(_printable(text) if text else f"a name made of {quote(module)} and {quote(attribute)}")
        self._stack.append(PickledName(text))

    def _call(self, _: str, __: object) -> None:
        arguments, function = self._stack.pop(), self._stack.pop()
        if not isinstance(function, PickledName) or type(arguments) is not tuple:
            raise RefusedError(f"a call of {quote(function)}")
        # A call copies what it is given, and the same list can be given a million times.
        self._weigh(sum(len(item) for item in arguments if isinstance(item, (str, bytes, bytearray, list, tuple))))
        self._stack.append(self.readers[function.text](arguments))

    def _build(self, _: str, __: object) -> None:
        state = self._stack.pop()
        target = self._stack[-1]
        if not isinstance(target, (PickledArray, PickledDtype)):
            raise RefusedError(f"a state set on {quote(target)}")
        target.set_state(state)

    operations: ClassVar[dict[str, Callable[[Any, str, Any], None]]] = {
        "PROTO": _check_protocol,
        **dict.fromkeys(("FRAME", "STOP"), _ignore),
        "MARK": _mark,
        "POP": _pop,
        "POP_MARK": _discard_mark,
        "DUP": _duplicate,
        **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), _put),
        "MEMOIZE": _memoize,
        **dict.fromkeys(_TUPLE_SIZES, _make_tuple),
        **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _get),
        **dict.fromkeys(("TUPLE", "LIST", "DICT", "FROZENSET"), _collect),
        **dict.fromkeys(("APPEND", "APPENDS"), _append),
        "ADDITEMS": _add_items,
        **dict.fromkeys(("SETITEM", "SETITEMS"), _store),
        **dict.fromkeys(("GLOBAL", "STACK_GLOBAL", "INST"), _name),
        "REDUCE": _call,
        "BUILD": _build,
    }


def _check_key(key: object) -> object:
    """Only scalars are hashed: the hash of deeply nested tuples can overflow the stack of the interpreter."""
    if key is None or isinstance(key, (str, bytes, int, float, complex)):
        return key
    raise RefusedError(f"{quote(key)} as a key")


def _printable(name: str) -> str:
    text = ascii(name)[1:-1]
    return text if len(text) <= 80 else text[:77] + "..."  # noqa: PLR2004 - a line stays a line


def _read_size(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    match arguments:
        case (tuple() | list() as sizes,):
            return tuple(sizes)
        case _:
            raise RefusedError("torch.Size of anything but a sequence")


def _read_ordered_dict(arguments: tuple[Any, ...]) -> dict[Any, Any]:
    if arguments:
        raise RefusedError("an OrderedDict made from arguments")
    return {}


def _read_bytes(arguments: tuple[Any, ...]) -> bytes:
    """Read bytes of protocols 0 to 2: ``bytes()``, or a string of which each character is a byte."""
    match arguments:
        case ():
            return b""
        case (str() as text, "latin1" | "latin-1"):
            return text.encode("latin-1")
        case (bytes() as data,):
            return data
        case _:
            raise RefusedError("bytes of an unknown encoding")


def _read_set(arguments: tuple[Any, ...]) -> set[Any]:
    match arguments:
        case (list() as items,):
            return set(map(_check_key, items))
        case _:
            raise RefusedError("a set of anything but a list")


def _read_complex(arguments: tuple[Any, ...]) -> complex:
    match arguments:
        case (float() as real, float() as imaginary):
            return complex(real, imaginary)
        case _:
            raise RefusedError("a complex number of anything but two floats")


def _read_new_array(arguments: tuple[Any, ...]) -> PickledArray:
    """Read numpy's ``_reconstruct(ndarray, (0,), b"b")``, an array that is filled later."""
    match arguments:
        case (PickledName("numpy.ndarray"), tuple(), _):
            return PickledArray()
        case _:
            raise RefusedError("a numpy array of an unknown class")


def _refuse_call(_: tuple[Any, ...]) -> object:
    raise RefusedError("a direct call of numpy.ndarray")


_READERS: Final[dict[str, Callable[[tuple[Any, ...]], object]]] = {
    "torch.Size": _read_size,
    "collections.OrderedDict": _read_ordered_dict,
    "_codecs.encode": _read_bytes,
    "builtins.bytes": _read_bytes,
    "builtins.bytearray": _read_bytes,
    "builtins.set": _read_set,
    "builtins.frozenset": _read_set,
    "builtins.complex": _read_complex,
    "numpy.ndarray": _refuse_call,
    "numpy.dtype": PickledDtype.from_arguments,
    "numpy.core.multiarray._reconstruct": _read_new_array,
    "numpy._core.multiarray._reconstruct": _read_new_array,
    "numpy.core.multiarray.scalar": decode_scalar,
    "numpy._core.multiarray.scalar": decode_scalar,
    "numpy.core.numeric._frombuffer": PickledArray.from_buffer,
    "numpy._core.numeric._frombuffer": PickledArray.from_buffer,
}
PlainMachine.readers = _READERS

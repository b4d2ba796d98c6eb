"""Pickles by what they hold, without carrying out anything that they ask for.

The opcodes are carried out by the machine of `reproof.legacy.restricted_pickle`, here with a stand-in for whatever a
pickle would build: the name of the class, the arguments, the state. Two pickles are the same if these are. The elements
of a set are sorted; their order is that of the hash seed.

joblib writes the bytes of an array into the midst of the pickle, after the object that stands for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, Final

from reproof.legacy.pickled_array import RefusedError
from reproof.legacy.restricted_pickle import PickledName, PlainMachine
from reproof.outputs.formats.arrays import decode_number
from reproof.outputs.formats.parts import read_all
from reproof.outputs.records import digest_bytes, digest_text

if TYPE_CHECKING:
    from reproof.outputs.formats.parts import PartCollector

MAX_DEPTH: Final = 200
MAX_VALUES: Final = 500_000
MIN_ROW: Final = 16
"""So many numbers in a list or tuple make one part of it: the state of a generator has 625."""
JOBLIB_WRAPPER: Final = "joblib.numpy_pickle.NumpyArrayWrapper"
_PLAIN_CALLS: Final = frozenset(
    [
        "_codecs.encode",
        "builtins.bytearray",
        "builtins.bytes",
        "builtins.complex",
        "builtins.frozenset",
        "builtins.set",
        "torch.Size",
    ]
)
_SETS: Final = frozenset({"builtins.set", "builtins.frozenset"})
_SCALAR_CALLS: Final = frozenset({"numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar"})
_DATETIME: Final = "datetime.datetime"
_DATETIME_BYTES: Final = 10
_NUMBERS: Final = (int, float, bool)


class Boxed:
    """A key of a dict or element of a set that cannot be hashed here; each is equal to itself alone."""

    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        """Hold the value."""
        self.value = value


class Built:
    """Stands for an object: what would be called with which arguments, and what would then be put into it."""

    __slots__ = ("arguments", "data", "items", "name", "pairs", "states")

    def __init__(self, name: str, arguments: tuple[Any, ...]) -> None:
        """Begin with nothing but the call."""
        self.name = name
        self.arguments = arguments
        self.items: list[Any] = []
        self.pairs: list[tuple[Any, Any]] = []
        self.states: list[Any] = []
        self.data: bytes | None = None


class Persistent:
    """Stands for what is kept beside the pickle, such as the storage of a tensor."""

    __slots__ = ("identity",)

    def __init__(self, identity: object) -> None:
        """Hold what the pickle calls it."""
        self.identity = identity


class AnyMachine(PlainMachine):
    """The machine that builds stand-ins for all that is not plain."""

    def read_following(self, wrapper: Built) -> bytes:
        """Return the bytes of the array that joblib wrote after an object that stands for it."""
        state = dict(wrapper.pairs) | (
            wrapper.states[-1] if wrapper.states and type(wrapper.states[-1]) is dict else {}
        )
        size = _item_size(state.get("dtype"))
        for length in state.get("shape", ()):
            size *= length
        if state.get("numpy_array_alignment_bytes") is not None:
            self._stream.seek(self._stream.read(1)[0], 1)
        if not 0 <= size <= len(self._data):
            raise ValueError("an array of a size that cannot be")
        data = self._stream.read(size)
        if len(data) != size:
            raise ValueError("cut off")
        return data

    def run_next(self) -> object:
        """Carry out the next of several pickles that follow one another."""
        self._stack, self._marked, self._memo = [], [], {}
        return self.run_program()

    def read_rest(self, size: int) -> bytes:
        """Return the next bytes after the pickle."""
        return self._stream.read(size)

    def _any_name(self, opcode: str, argument: object) -> None:
        if opcode == "STACK_GLOBAL":
            attribute, module = self._stack.pop(), self._stack.pop()
        else:
            module, _, attribute = str(argument).partition(" ")
        name = PickledName(f"{module}.{attribute}".replace("__builtin__.", "builtins.", 1))
        if opcode == "INST":
            self._stack.append(Built(name.text, tuple(self._pop_mark())))
        else:
            self._stack.append(name)

    def _any_call(self, opcode: str, _: object) -> None:
        if opcode == "OBJ":
            function, *rest = self._pop_mark()
            arguments: Any = tuple(rest)
        else:
            named = self._stack.pop() if opcode == "NEWOBJ_EX" else None
            arguments, function = self._stack.pop(), self._stack.pop()
            arguments = arguments if named in (None, {}) else (*arguments, named)
        self._stack.append(self._build_any(function, arguments))

    def _build_any(self, function: object, arguments: Any) -> object:
        if not isinstance(function, PickledName) or type(arguments) is not tuple:
            return Built("a call", (function, arguments))
        if function.text in _PLAIN_CALLS:
            try:
                return self.readers[function.text](arguments)
            except RefusedError:
                pass
        return Built(function.text, arguments)

    def _any_state(self, _: str, __: object) -> None:
        state = self._stack.pop()
        target = self._stack[-1]
        if not isinstance(target, Built):
            target = self._stack[-1] = Built("an object", (target,))
        target.states.append(state)
        if target.name == JOBLIB_WRAPPER:
            target.data = self.read_following(target)

    def _any_append(self, opcode: str, _: object) -> None:
        items = self._pop_mark() if opcode != "APPEND" else [self._stack.pop()]
        target = self._stack[-1]
        if isinstance(target, Built):
            target.items += items
        elif isinstance(target, set):
            target.update(map(_box, items))
        else:
            self._target(list, opcode).extend(items)

    def _set_items(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if isinstance(target, Built):
            target.pairs += zip(items[::2], items[1::2], strict=True)
        else:
            self._target(dict, "SETITEMS").update(zip(map(_box, items[::2]), items[1::2], strict=True))

    def _frozen_set(self, _: str, __: object) -> None:
        self._stack.append(frozenset(map(_box, self._pop_mark())))

    def _persist(self, opcode: str, argument: object) -> None:
        self._stack.append(Persistent(self._stack.pop() if opcode == "BINPERSID" else argument))

    def _extend(self, _: str, code: int) -> None:
        self._stack.append(PickledName(f"extension {code}"))

    operations: ClassVar[dict[str, Callable[[Any, str, Any], None]]] = {
        **PlainMachine.operations,
        **dict.fromkeys(("GLOBAL", "STACK_GLOBAL", "INST"), _any_name),
        **dict.fromkeys(("REDUCE", "NEWOBJ", "NEWOBJ_EX", "OBJ"), _any_call),
        "BUILD": _any_state,
        **dict.fromkeys(("APPEND", "APPENDS", "ADDITEMS"), _any_append),
        "FROZENSET": _frozen_set,
        **dict.fromkeys(("PERSID", "BINPERSID"), _persist),
        **dict.fromkeys(("EXT1", "EXT2", "EXT4"), _extend),
    }


ReadTensor = Callable[[Built], "tuple[str, str] | None"]
"""Returns the digest and the description of a tensor, or None for what is none."""


class Walker:
    """Goes through what a pickle holds and adds each value as a part, under the way that leads to it."""

    def __init__(self, parts: PartCollector, read_tensor: ReadTensor | None = None) -> None:
        """Begin. `read_tensor` reads the storage of a tensor, where there are such."""
        self._parts = parts
        self._read_tensor = read_tensor
        self._open: set[int] = set()
        self._num_values = 0

    def walk(self, value: Any, name: str = "", keys: tuple[str, ...] = ()) -> None:
        """Add a value and all that is within it.

        Raises ValueError if there are too many: a small pickle can hold the same list a million times.
        """
        self._count()
        if isinstance(value, (dict, list, tuple, set, frozenset, Built, Boxed, Persistent)):
            if id(value) in self._open or len(self._open) > MAX_DEPTH:
                self._parts.add_value(name, "an object around this one", ())
                return
            self._open.add(id(value))
            self._walk_within(value, name, keys)
            self._open.discard(id(value))
        elif isinstance(value, PickledName):
            self._parts.add(name, digest_text(value.text), value.text)
        else:
            self._parts.add_value(name, value, keys)

    def _count(self) -> None:
        self._num_values += 1
        if self._num_values > MAX_VALUES:
            raise ValueError(f"more than {MAX_VALUES} values")

    def _walk_within(self, value: Any, name: str, keys: tuple[str, ...]) -> None:
        if isinstance(value, dict):
            self._walk_pairs(list(value.items()), name, keys)
        elif isinstance(value, (list, tuple)):
            self._walk_sequence(value, name, keys)
        elif isinstance(value, (set, frozenset)):
            self._walk_set(list(value), name)
        elif isinstance(value, Boxed):
            self.walk(value.value, name, keys)
        elif isinstance(value, Persistent):
            self.walk(value.identity, f"{name} persistent", keys)
        else:
            self._walk_built(value, name, keys)

    def _walk_pairs(self, pairs: list[tuple[Any, Any]], name: str, keys: tuple[str, ...]) -> None:
        for key, item in pairs:
            shown = key if isinstance(key, str) else self.describe(key)
            self.walk(item, f"{name}[{shown!r}]" if isinstance(key, str) else f"{name}[{shown}]", (*keys, shown))
        if not pairs:
            self._parts.add_value(name, "{}", ())

    def _walk_sequence(self, value: list[Any] | tuple[Any, ...], name: str, keys: tuple[str, ...]) -> None:
        if len(value) >= MIN_ROW and all(type(item) in _NUMBERS for item in value):
            key = keys[-1] if keys else ""
            self._parts.add_row(name, ((key, repr(item)) for item in value))
            return
        for position, item in enumerate(value):
            self.walk(item, f"{name}[{position}]", keys)
        if not value:
            self._parts.add_value(name, "[]", ())

    def _walk_set(self, items: list[Any], name: str) -> None:
        for position, text in enumerate(sorted(self.describe(item) for item in items)):
            self._parts.add_value(f"{name}{{{position}}}", text)
        if not items:
            self._parts.add_value(name, "set()", ())

    def _walk_built(self, value: Built, name: str, keys: tuple[str, ...]) -> None:
        tensor = None if self._read_tensor is None else self._read_tensor(value)
        if tensor is not None:
            self._parts.add(name, *tensor)
            return
        plain = _read_scalar(value) if value.name != _DATETIME else _read_datetime(value)
        if plain is not None:
            self._parts.add_value(name, plain, keys)
            return
        if value.data is not None:
            self._parts.add(name, digest_bytes(value.data), f"array of {len(value.data)} bytes")
        self._parts.add(f"{name} class", digest_text(value.name), value.name)
        if value.name in _SETS and len(value.arguments) == 1 and isinstance(value.arguments[0], list):
            self._walk_set(value.arguments[0], name)
        else:
            for position, item in enumerate(value.arguments):
                self.walk(item, f"{name}({position})", keys)
        self._walk_filled(value, name, keys)

    def _walk_filled(self, value: Built, name: str, keys: tuple[str, ...]) -> None:
        for position, item in enumerate(value.items):
            self.walk(item, f"{name}[{position}]", keys)
        if value.pairs:
            self._walk_pairs(value.pairs, name, keys)
        for state in value.states:
            both = state if isinstance(state, tuple) and len(state) == 2 else (state,)  # noqa: PLR2004  # dict and slots
            for each in both:
                if isinstance(each, dict):
                    for key, item in each.items():
                        self.walk(item, f"{name}.{key}", (*keys, str(key)))
                elif each is not None:
                    self.walk(each, f"{name} state", keys)

    def describe(self, value: Any, depth: int = 0) -> str:
        """Return a text that tells a value from every other, for keys and elements of sets."""
        self._count()
        if depth > MAX_DEPTH:
            raise ValueError("nested too deeply")
        if isinstance(value, (Boxed, Persistent)):
            return self.describe(value.value if isinstance(value, Boxed) else value.identity, depth + 1)
        if isinstance(value, (list, tuple)):
            return f"{type(value).__name__}({', '.join(self.describe(item, depth + 1) for item in value)})"
        if isinstance(value, (set, frozenset)):
            return f"{{{', '.join(sorted(self.describe(item, depth + 1) for item in value))}}}"
        if isinstance(value, dict):
            pairs = (
                f"{self.describe(key, depth + 1)}: {self.describe(item, depth + 1)}" for key, item in value.items()
            )
            return f"dict({', '.join(pairs)})"
        if isinstance(value, Built):
            inner = (value.arguments, value.items, value.pairs, value.states)
            return f"{value.name}{self.describe(inner, depth + 1)}"
        return value.text if isinstance(value, PickledName) else repr(value)


def read_pickle(stream: BinaryIO, parts: PartCollector) -> None:
    """Read a pickle, of joblib too. Nothing in it is executed.

    Raises ValueError, KeyError, IndexError, TypeError, struct.error, RefusedError if it is damaged or too large.
    """
    machine = AnyMachine(read_all(stream))
    value = machine.run_program()
    Walker(parts).walk(value)
    rest = machine.read_rest(-1)
    if rest:
        parts.add_bytes("after the pickle", rest)


def _box(key: Any) -> Any:
    return key if key is None or isinstance(key, (str, bytes, int, float, complex)) else Boxed(key)


def _read_scalar(value: Built) -> int | float | bool | None:
    """Return the number that a scalar of NumPy stands for."""
    if value.name not in _SCALAR_CALLS:
        return None
    match value.arguments:
        case (Built(name="numpy.dtype", arguments=(str() as kind, *_)), bytes() as data):
            return decode_number(kind, data)
        case _:
            return None


def _read_datetime(value: Built) -> str | None:
    """Return a date and time as it is printed; None for one with a time zone."""
    match value.arguments:
        case (bytes() as data,) if len(data) == _DATETIME_BYTES:
            year, month = int.from_bytes(data[:2], "big"), data[2] & 0x7F
            clock = f"{data[4]:02}:{data[5]:02}:{data[6]:02}.{int.from_bytes(data[7:], 'big'):06}"
            return f"{year:04}-{month:02}-{data[3]:02} {clock}"
        case _:
            return None


def _item_size(dtype: object) -> int:
    if isinstance(dtype, Built) and dtype.name == "numpy.dtype" and dtype.arguments:
        kind = str(dtype.arguments[0])
        digits = "".join(character for character in kind if character.isdigit())
        if digits and kind.lstrip("<>|=")[:1] in {"b", "i", "u", "f", "c", "S", "V", "M", "m"}:
            return int(digits)
        if digits and "U" in kind:
            return 4 * int(digits)
    raise ValueError("an array of unknown elements")

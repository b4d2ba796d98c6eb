"""Digests of values of any kind by what they hold: equal in two runs if the values are.

Addresses never count, nothing is consumed and none of the user's code runs. All bytes count: a sampled digest would let
a difference through, and the next call, which has done nothing, would be accused. What cannot be looked into (a lock,
an open file, an object of compiled code that has no form to be saved in) counts by its type, and is told as not whole.
"""

from __future__ import annotations

import contextlib
import marshal
import struct
import sys
import types
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import xxhash

from reproof.entropy.sites import USER, owner_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Reader = Callable[["Walk", Any, int], int]
    """Reads a value at a depth."""

SIMPLE: Final = frozenset({int, float, str, bytes, bool, type(None), complex})
"""Types whose values are their content, and cannot change."""

FORMAT: Final = 2
"""Version of `marshal` from which on the bytes depend on how often a value is referred to: one before it."""

MAX_DEPTH: Final = 24
MAX_NODES: Final = 300_000
REDUCING: Final = ("__reduce_ex__", "__reduce__", "__getstate__")
CONTAINERS: Final = (list, tuple, dict, set, frozenset)
PLAIN: Final[dict[type, Callable[[Any], Any]]] = {
    str: str.__str__,
    bytes: lambda value: memoryview(value).tobytes(),
    int: int.__int__,
    float: float.__float__,
    complex: complex.__pos__,
}
"""How the plain value of a type derived from one of these is read, whatever that type does by itself."""


class Content(NamedTuple):
    """What a value holds.

    Attributes:
        digest: 64 bits.
        is_whole: Whether all of it was looked into.
        num_bytes: Bytes of arrays and tensors that were read.
    """

    digest: int
    is_whole: bool
    num_bytes: int


def digest_content(value: Any) -> Content:
    """Return the digest of what a value holds; one that cannot be looked into has that of its type."""
    if type(value) in SIMPLE:
        return Content(digest_bytes(marshal.dumps(value, FORMAT)), is_whole=True, num_bytes=0)
    walk = Walk()
    try:
        digest = walk.visit(value)
    except Exception:  # noqa: BLE001  # of whatever library a value comes from
        digest, walk.is_whole = digest_text(name_type(type(value))), False
    return Content(digest, walk.is_whole, walk.num_bytes)


def digest_bytes(data: Any) -> int:
    """Return 64 bits of a bytes-like object."""
    return xxhash.xxh3_64_intdigest(data)


def digest_text(text: str) -> int:
    """Return 64 bits of a text."""
    return xxhash.xxh3_64_intdigest(text.encode("utf-8", "surrogatepass"))


def combine(tag: str, parts: Iterable[int]) -> int:
    """Return 64 bits of several, in their order."""
    values = tuple(parts)
    return digest_bytes(struct.pack(f"<{len(values)}Q", *values) + tag.encode())


def name_type(kind: type) -> str:
    """Return the full name of a type."""
    return f"{kind.__module__}.{kind.__qualname__}"


class Walk:
    """One value under way.

    Attributes:
        is_whole: Whether all was looked into so far.
    """

    def __init__(self) -> None:
        """Begin."""
        self.is_whole = True
        self.num_bytes = 0
        self._num_nodes = 0
        self._under_way: dict[int, int] = {}

    def visit(self, value: Any, depth: int = 0) -> int:
        """Return the digest of a value at a depth below the first."""
        kind = type(value)
        if kind in SIMPLE:
            return digest_bytes(marshal.dumps(value, FORMAT))
        self._num_nodes += 1
        if self._num_nodes > MAX_NODES or depth > MAX_DEPTH:
            return self.give_up(value)
        around = self._under_way.get(id(value))
        if around is not None:
            return combine("cycle", [around])
        self._under_way[id(value)] = len(self._under_way)
        try:
            return find_reader(kind)(self, value, depth + 1)
        finally:
            del self._under_way[id(value)]

    def give_up(self, value: Any) -> int:
        """Count a value by its type alone."""
        self.is_whole = False
        return digest_text(name_type(type(value)))

    def take_bytes(self, data: Any, size: int, label: str) -> int:
        """Return the digest of a block of memory of something with this label (type and shape)."""
        self.num_bytes += size
        return combine(label, [digest_bytes(data)])


def read_sequence(walk: Walk, value: Any, depth: int) -> int:
    """Read a list or tuple."""
    tag = "list" if isinstance(value, list) else "tuple"
    items = list(value)
    if SIMPLE.issuperset(map(type, items)):
        return combine(tag, [digest_bytes(marshal.dumps(items, FORMAT))])
    return combine(tag, [walk.visit(item, depth) for item in items])


def read_dict(walk: Walk, value: Any, depth: int) -> int:
    """Read a dictionary, in its order."""
    return combine("dict", [walk.visit(one, depth) for pair in list(dict.items(value)) for one in pair])


def read_set(walk: Walk, value: Any, depth: int) -> int:
    """Read a set, in no order."""
    return combine("set", sorted(walk.visit(item, depth) for item in list(value)))


def read_array(walk: Walk, value: Any, depth: int) -> int:
    """Read an array or a number of NumPy."""
    numpy = sys.modules["numpy"]
    array = numpy.asarray(value)
    label = f"{array.dtype.str}{array.shape}"
    if array.dtype.hasobject:
        return combine(label, [walk.visit(item, depth) for item in array.ravel().tolist()])
    flat = numpy.ascontiguousarray(array).reshape(-1).view(numpy.uint8)
    return walk.take_bytes(flat.data, flat.nbytes, label)


def read_tensor(walk: Walk, value: Any, _depth: int) -> int:
    """Read a tensor, of any device."""
    torch = sys.modules["torch"]
    with torch._C._DisableTorchDispatch(), torch.no_grad():  # noqa: SLF001  # no mode sees what we look at
        data = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
    return walk.take_bytes(data.data, data.nbytes, f"{value.dtype}{tuple(value.shape)}")


def read_state(walk: Walk, value: Any, depth: int) -> int:
    """Read a bit generator of NumPy."""
    return walk.visit(value.state, depth)


def read_bit_generator(walk: Walk, value: Any, depth: int) -> int:
    """Read a generator of NumPy."""
    return walk.visit(value.bit_generator.state, depth)


def read_get_state(walk: Walk, value: Any, depth: int) -> int:
    """Read the global generator of NumPy or one like it, or a generator of PyTorch."""
    return walk.visit(value.get_state(), depth)


def read_python_generator(walk: Walk, value: Any, depth: int) -> int:
    """Read a generator of the module `random`."""
    return walk.visit(sys.modules["random"].Random.getstate(value), depth)


def read_name(walk: Walk, value: Any, _depth: int) -> int:
    """Count what the recorder looks into by its type: models and optimizers."""
    return walk.give_up(value)


def read_type(_walk: Walk, value: Any, _depth: int) -> int:
    """Read a class or a module, which is its name."""
    return digest_text(value.__name__ if isinstance(value, types.ModuleType) else name_type(value))


def read_function(walk: Walk, value: Any, depth: int) -> int:
    """Read a function of Python: its code, and what it holds of the functions around it."""
    parts = [digest_text(value.__qualname__), digest_bytes(value.__code__.co_code)]
    for cell in value.__closure__ or ():
        with contextlib.suppress(ValueError):  # one that is still empty
            parts.append(walk.visit(cell.cell_contents, depth))
    return combine("function", parts)


def read_method(walk: Walk, value: Any, depth: int) -> int:
    """Read a method or a function of C, with the object that it is of."""
    return combine("method", [digest_text(value.__name__), walk.visit(value.__self__, depth)])


def read_pointer(_walk: Walk, value: Any, _depth: int) -> int:
    """Read a function of a library that `ctypes` has loaded, which is its name."""
    return digest_text(value.__name__)


def read_library(walk: Walk, value: Any, depth: int) -> int:
    """Read a library that `ctypes` has loaded, which is its name: where it lies is another address each time."""
    return walk.visit(value._name, depth)  # noqa: SLF001  # as `ctypes` itself shows it


def read_buffer(walk: Walk, value: Any, _depth: int) -> int:
    """Read what shows its memory."""
    with memoryview(value) as view:
        data = view.tobytes()
    return walk.take_bytes(data, len(data), type(value).__name__)


def read_error(walk: Walk, value: Any, depth: int) -> int:
    """Read an exception."""
    return combine(name_type(type(value)), [walk.visit(value.args, depth)])


def read_nothing(walk: Walk, value: Any, _depth: int) -> int:
    """Count by its type what has no content of its own."""
    return walk.give_up(value)


def read_object(walk: Walk, value: Any, depth: int) -> int:
    """Read an object: what it is saved as, if its library says so, otherwise its attributes."""
    kind = type(value)
    parts = [EXACT[plain](walk, value, depth) for plain in CONTAINERS if isinstance(value, plain)]
    parts += [
        digest_bytes(marshal.dumps(take(value), FORMAT)) for plain, take in PLAIN.items() if isinstance(value, plain)
    ]
    if reduces(kind):
        return combine(name_type(kind), [*parts, *_reduce(walk, value, depth)])
    attributes = list(list_attributes(value))
    if not attributes and not parts and not hasattr(value, "__dict__"):
        return combine(name_type(kind), _reduce(walk, value, depth))
    for name, attribute in attributes:
        parts += [digest_text(name), walk.visit(attribute, depth)]
    return combine(name_type(kind), parts)


def _reduce(walk: Walk, value: Any, depth: int) -> list[int]:
    reduced = value.__reduce_ex__(4)
    if isinstance(reduced, str):
        return [digest_text(reduced)]
    return [walk.visit(list(part) if hasattr(part, "__next__") else part, depth) for part in reduced]


def reduces(kind: type) -> bool:
    """Whether a library has written down in what form objects of its type are saved; the user's code is not run."""
    for known in kind.__mro__[:-1]:
        for name in REDUCING:
            if (way := known.__dict__.get(name)) is not None:
                code = getattr(way, "__code__", None)
                return code is None or owner_of(code.co_filename) != USER
    return False


def list_attributes(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the attributes that an object holds itself."""
    with contextlib.suppress(AttributeError, TypeError):
        yield from list(object.__getattribute__(value, "__dict__").items())
    for known in type(value).__mro__:
        slots = known.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            full = f"_{known.__name__.lstrip('_')}{name}" if name.startswith("__") and not name.endswith("__") else name
            try:
                yield full, object.__getattribute__(value, full)
            except AttributeError:
                continue


BY_NAME: Final[dict[str, Reader]] = {
    "numpy.ndarray": read_array,
    "numpy.generic": read_array,
    "numpy.random._generator.Generator": read_bit_generator,
    "numpy.random.mtrand.RandomState": read_get_state,
    "numpy.random.bit_generator.BitGenerator": read_state,
    "numpy.random.bit_generator.SeedSequence": read_state,
    "torch.Tensor": read_tensor,
    "torch._C.TensorBase": read_tensor,
    "torch._C.Generator": read_get_state,
    "torch.nn.modules.module.Module": read_name,
    "torch.optim.optimizer.Optimizer": read_name,
    "random.SystemRandom": read_nothing,
    "random.Random": read_python_generator,
    "builtins.bytearray": read_buffer,
    "builtins.memoryview": read_buffer,
    "array.array": read_buffer,
    "mmap.mmap": read_buffer,
    "_ctypes.Array": read_buffer,
    "_ctypes.Structure": read_buffer,
    "_ctypes._SimpleCData": read_buffer,
    "_ctypes.CFuncPtr": read_pointer,
    "ctypes.CDLL": read_library,
    "_io._IOBase": read_nothing,
    "threading.Thread": read_nothing,
    "_thread._local": read_nothing,
    "builtins.module": read_type,
    "builtins.type": read_type,
    "builtins.function": read_function,
    "builtins.method": read_method,
    "builtins.builtin_function_or_method": read_method,
    "builtins.frame": read_nothing,
    "builtins.traceback": read_nothing,
    "builtins.BaseException": read_error,
}
"""How values of a type and of those derived from it are read, by its full name: what is not imported is not needed."""

EXACT: Final[dict[type, Reader]] = {
    list: read_sequence,
    tuple: read_sequence,
    dict: read_dict,
    set: read_set,
    frozenset: read_set,
}

MODULES: Final = ("concurrent.", "_thread", "queue", "asyncio", "multiprocessing", "subprocess", "threading")
"""How the modules begin whose objects stand for something outside, or for what is under way."""

_readers: dict[type, Reader] = dict(EXACT)


def find_reader(kind: type) -> Reader:
    """Return how values of a type are read."""
    known = _readers.get(kind)
    if known is None:
        known = _readers[kind] = _choose_reader(kind)
    return known


def _choose_reader(kind: type) -> Reader:
    names = [name_type(known) for known in kind.__mro__]
    found = next((BY_NAME[name] for name in names if name in BY_NAME), None)
    if found is not None:
        return found
    if kind.__module__.startswith(MODULES) and kind.__name__ != "CompletedProcess":
        return read_nothing
    return read_object

"""See what is given to functions that save, when it is saved: tensors, arrays, estimators and plain values.

A checkpoint that the next one overwrites, or that lies in a folder far away, is seen here alone. Left out: savers
that open the file themselves in compiled code.
"""

from __future__ import annotations

import functools
import inspect
import os
import sys
import threading
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import wrapt
from xxhash import xxh3_128_digest

from reproof.outputs.formats.parts import PartCollector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import ModuleType

    from reproof.outputs.records import Part
    from reproof.outputs.surroundings import Surroundings

    NoteSaved = Callable[[str, Any], None]

MAX_VALUES: Final = 20_000
MAX_DEPTH: Final = 12
MAX_NAMED: Final = 16
"""Items of a sequence of plain values that are told one by one."""
PLAIN: Final = (type(None), bool, int, float, complex, str, bytes)
BUFFER: Final = "a buffer"


class Saver(NamedTuple):
    """A function that saves.

    Attributes:
        module: Module that it is a name of.
        name: Its name there.
        target: Its argument that tells where it saves.
        value: Its argument with what it saves; None for all others together.
    """

    module: str
    name: str
    target: str
    value: str | None


SAVERS: Final = (
    Saver("torch", "save", "f", "obj"),
    Saver("safetensors.torch", "save_file", "filename", "tensors"),
    Saver("safetensors.numpy", "save_file", "filename", "tensor_dict"),
    Saver("numpy", "save", "file", "arr"),
    Saver("numpy", "savez", "file", None),
    Saver("numpy", "savez_compressed", "file", None),
    Saver("numpy", "savetxt", "fname", "X"),
    Saver("joblib", "dump", "filename", "value"),
    Saver("pickle", "dump", "file", "obj"),
)


class _Depth(threading.local):
    """How many savers this thread is in: one saver calls another."""

    count = 0


def tap_savers(note: NoteSaved) -> Callable[[], None]:
    """Have a function called with the target and the value of everything that is saved.

    Args:
        note: Called before the saver, with the name of the file and what it is given. It must not raise.

    Returns:
        What puts the functions back.

    Effects: replaces functions of the savers' modules, once these are imported.
    """
    notes, depth, undo = [note], _Depth(), []

    def wrap(saver: Saver, module: ModuleType) -> None:
        original = getattr(module, saver.name, None)
        if original is None or not notes:
            return
        tapped = _tap(saver, original, notes, depth)
        for owner in (module, sys.modules.get(original.__module__)):  # the second is where pickles find it
            if getattr(owner, saver.name, None) is original:
                setattr(owner, saver.name, tapped)
                undo.append(functools.partial(_restore, owner, saver.name, tapped, original))

    for saver in SAVERS:
        wrapt.when_imported(saver.module)(functools.partial(wrap, saver))

    def stop() -> None:
        notes.clear()
        while undo:
            undo.pop()()

    return stop


def _restore(module: Any, name: str, tapped: Any, original: Any) -> None:
    if getattr(module, name, None) is tapped:
        setattr(module, name, original)


def _tap(saver: Saver, original: Callable[..., Any], notes: list[NoteSaved], depth: _Depth) -> Callable[..., Any]:
    try:
        signature = inspect.signature(original)
    except ValueError:  # compiled, without one: pickle.dump
        signature = inspect.signature(lambda obj, file, *args, **kwargs: None)  # noqa: ARG005  # its parameters

    @functools.wraps(original)
    def save(*args: Any, **kwargs: Any) -> Any:
        if notes and not depth.count:
            target, value = _read_call(saver, signature, args, kwargs)
            for note in notes:
                note(target, value)
        depth.count += 1
        try:
            return original(*args, **kwargs)
        finally:
            depth.count -= 1

    return save


def _read_call(
    saver: Saver, signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[str, Any]:
    try:
        given = dict(signature.bind(*args, **kwargs).arguments)
    except TypeError:  # the saver says so itself
        return BUFFER, None
    target = name_target(given.pop(saver.target, None))
    return target, _collect_rest(given) if saver.value is None else given.get(saver.value)


def _collect_rest(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return all arrays of a call of `numpy.savez` by name: its ``*args`` and ``**kwds``."""
    numbered = {f"arr_{number}": array for number, array in enumerate(given.get("args", ()))}
    return {**numbered, **given.get("kwds", {})}


def name_target(target: Any) -> str:
    """Return the path of what is saved to, as far as it has one."""
    name = target if isinstance(target, (str, bytes, os.PathLike)) else getattr(target, "name", None)
    if isinstance(name, (str, bytes, os.PathLike)):
        return PurePath(os.fsdecode(name)).as_posix()
    return BUFFER


def read_saved(
    value: Any, surroundings: Surroundings, digest_leaf: Callable[[Any], tuple[bytes, int]]
) -> tuple[Part, ...]:
    """Return what is in a saved object: each tensor, array and plain value, up to `MAX_VALUES`.

    Args:
        value: What is saved.
        surroundings: What is known of the run, for the masks of plain values.
        digest_leaf: Returns the digest of a tensor or an array.
    """
    parts = PartCollector(surroundings)
    for path, keys, leaf in _walk(value, "", (), 0, {}, [MAX_VALUES]):
        if is_tensor(leaf):
            try:
                taken, _ = digest_leaf(leaf)
            except Exception:  # noqa: BLE001, S112  # one without data: whoever loads it finds none either
                continue
            parts.add(path, taken.hex(), f"{leaf.dtype} {list(leaf.shape)}")
        else:
            parts.add_value(path, leaf, keys)
    return parts.finish()


def is_long(value: Any) -> bool:
    """Whether a value is a long sequence of plain values, such as the state of a generator: it is one value then."""
    return type(value) in {list, tuple} and len(value) > MAX_NAMED and all(isinstance(item, PLAIN) for item in value)


def is_tensor(value: Any) -> bool:
    """Whether a value is a tensor or an array of numbers, without importing what makes them."""
    torch, numpy = sys.modules.get("torch"), sys.modules.get("numpy")
    if torch is not None and isinstance(value, torch.Tensor):
        return True
    return numpy is not None and isinstance(value, (numpy.ndarray, numpy.generic)) and not value.dtype.hasobject


def _walk(  # noqa: PLR0917  # a recursion
    value: Any, path: str, keys: tuple[str, ...], depth: int, seen: dict[int, Any], left: list[int]
) -> Iterator[tuple[str, tuple[str, ...], Any]]:
    """Yield the leaves of a saved object with the way to each: mappings, sequences, sets, objects by what they hold."""
    if left[0] <= 0 or depth > MAX_DEPTH:
        return
    if isinstance(value, PLAIN) or is_tensor(value) or is_long(value):
        left[0] -= 1
        yield path, keys, value
        return
    if id(value) in seen or callable(value):
        return
    seen[id(value)] = value
    for step, key, child in _list_children(value):
        yield from _walk(child, f"{path}{step}", (*keys, key), depth + 1, seen, left)


def _list_children(value: Any) -> Iterator[tuple[str, str, Any]]:
    if isinstance(value, dict):
        for key, child in value.items():
            if isinstance(key, PLAIN):
                yield f"[{key!r}]", str(key), child
    elif isinstance(value, (list, tuple)):
        for number, child in enumerate(value):
            yield f"[{number}]", "", child
    elif isinstance(value, (set, frozenset)):
        plain = sorted((child for child in value if isinstance(child, PLAIN)), key=repr)
        for number, child in enumerate(plain):
            yield f"{{{number}}}", "", child
    else:
        for key, child in _list_state(value):
            yield f".{key}", str(key), child


def _list_state(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the attributes of an object; of a compiled one, such as the tree of an estimator, its state."""
    state = getattr(value, "__dict__", None)
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.ndarray):  # of objects
        yield from ((str(number), child) for number, child in enumerate(value.ravel().tolist()))
    elif isinstance(state, dict) and state:
        yield from list(state.items())
    elif type(value).__module__.startswith("sklearn.") and hasattr(value, "__getstate__"):
        found = value.__getstate__()
        if isinstance(found, dict):
            yield from found.items()


def digest_array_bytes(array: Any) -> tuple[bytes, int]:
    """Return a digest of a numpy array by its type, shape and bytes, and 1: for scripts that import no PyTorch."""
    head = f"{array.dtype.str} {array.shape} ".encode()
    return xxh3_128_digest(head + array.tobytes()), 1

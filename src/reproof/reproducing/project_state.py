"""What the modules of a project hold between two trainings of one process: models, loaders, generators, caches.

A training that reads such an object, and changes it, leaves something to the next. Each is found by its name in a
module, told by its content, and can be set back to what it was when the modules had just been imported. Functions
count by their default arguments, attributes and caches, classes by their attributes.

Left out: what is held elsewhere, such as in a closure or in an installed package.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import io
import pickle
import sys
import types
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_BY_REFERENCE: Final = (types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.MethodType, type)
_PLAIN: Final = (int, float, complex, str, bytes, type(None))
_MISSING: Final = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Something that a module of the project holds.

    Attributes:
        name: As the project calls it, with its line: ``RNG of search.py:4``.
        read: Returns the value now.
        write: Sets it.
    """

    name: str
    read: Callable[[], Any]
    write: Callable[[Any], None]


class ProjectState:
    """The state of the imported modules of a project, told and set back.

    Places that hold one object at the start, as after ``from common import MODEL``, go by the name of the first, and
    are set back together.
    """

    def __init__(self, project: Path) -> None:
        """Look at the modules that are imported now."""
        self._places: dict[str, list[Place]] = {}
        by_identity: dict[int, str] = {}
        for place in find_places(project):
            value = place.read()
            name = place.name if isinstance(value, _PLAIN) else by_identity.setdefault(id(value), place.name)
            self._places.setdefault(name, []).append(place)
        self._before = self.digest()

    def digest(self) -> dict[str, str | None]:
        """Return a digest of what each place holds; None for what has no plain content."""
        return {name: digest_value(_content(places[0].read())) for name, places in self._places.items()}

    def find_changed(self) -> list[str]:
        """Return the names of places that hold something else than at the start."""
        now = self.digest()
        return [name for name, digest in self._before.items() if digest != now[name]]

    def save(self, names: Iterable[str]) -> Callable[[], None]:
        """Return what sets places back to what they hold now. Raises Exception if something there cannot be copied."""
        chosen = [place for name in names for place in self._places.get(name, ())]
        copied = _Copy([_content(place.read()) for place in chosen])  # together, so that what is shared stays shared

        def restore() -> None:
            for place, content in zip(chosen, copied.make(), strict=True):
                _restore(place, content)

        return restore


def find_places(project: Path) -> Iterator[Place]:
    """Yield what the imported modules of a project hold, those first that define it themselves."""
    found = [place for module in _own_modules(project) for place in _places_of(module, project)]
    yield from sorted(found, key=lambda place: ":" not in place.name)


def _own_modules(project: Path) -> Iterator[types.ModuleType]:
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and file.endswith(".py") and isinstance(module, types.ModuleType):
            path = Path(file).resolve()
            if (
                path.is_relative_to(project)
                and path.is_file()
                and "site-packages" not in path.parts
                and not _is_ours(path)
            ):
                yield module


def _is_ours(path: Path) -> bool:
    return path.is_relative_to(Path(__file__).resolve().parents[1])


def _places_of(module: types.ModuleType, project: Path) -> Iterator[Place]:
    path = Path(str(module.__file__)).resolve()
    lines = find_lines(path)
    for name, value in list(vars(module).items()):
        if name.startswith("__") or isinstance(value, (types.ModuleType, types.BuiltinFunctionType)):
            continue
        line = f":{lines[name]}" if name in lines else ""
        where = f"of {path.relative_to(project).as_posix()}{line}"
        is_own = getattr(value, "__module__", None) == module.__name__
        if isinstance(value, type):
            yield from _attributes_of(value, where) if is_own else ()
        elif not isinstance(value, types.FunctionType) or is_own:
            yield _make_place(f"{name} {where}", module, name)


def _attributes_of(kind: type, where: str) -> Iterator[Place]:
    for name, value in list(vars(kind).items()):
        is_state = not name.startswith("__") and not isinstance(value, (staticmethod, classmethod, property))
        if is_state and not isinstance(value, _BY_REFERENCE):
            yield _make_place(f"{kind.__name__}.{name} {where}", kind, name)


def _make_place(name: str, owner: Any, attribute: str) -> Place:
    return Place(
        name=name,
        read=lambda: vars(owner).get(attribute, _MISSING),
        write=lambda value: setattr(owner, attribute, value),
    )


def find_lines(path: Path) -> dict[str, int]:
    """Return the line on which each name at the top of a file is first assigned or defined."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return {}
    lines: dict[str, int] = {}
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            lines.setdefault(node.name, node.lineno)
            continue
        for item in ast.walk(node):
            if isinstance(item, ast.Name) and isinstance(item.ctx, ast.Store):
                lines.setdefault(item.id, item.lineno)
    return lines


def _content(value: Any) -> Any:
    """Return what is state of a value: of a function its defaults and attributes, of a cache its size."""
    if isinstance(value, functools._lru_cache_wrapper):  # noqa: SLF001  # its type has no public name
        return value.cache_info().currsize
    if isinstance(value, types.FunctionType):
        attributes = {name: item for name, item in vars(value).items() if name != "__wrapped__"}
        return [value.__defaults__, value.__kwdefaults__, attributes]
    return value


def _restore(place: Place, content: Any) -> None:
    value = place.read()
    if isinstance(value, functools._lru_cache_wrapper):  # noqa: SLF001  # as above
        value.cache_clear()
    elif isinstance(value, types.FunctionType):
        value.__defaults__, value.__kwdefaults__ = content[:2]
        vars(value).update(content[2])
    else:
        place.write(content)


class _Pickler(pickle.Pickler):
    """Copies content, and takes functions, classes and modules as they are."""

    def __init__(self, file: Any, taken: list[Any]) -> None:
        super().__init__(file, protocol=5)
        self._taken = taken

    def persistent_id(self, obj: Any) -> int | None:
        if obj is not _MISSING and not isinstance(obj, _BY_REFERENCE):
            return None
        self._taken.append(obj)
        return len(self._taken) - 1


class _DigestPickler(_Pickler):
    """Writes tensors as their elements: PyTorch's own form has addresses in it."""

    def reducer_override(self, obj: Any) -> Any:
        if type(obj).__module__.partition(".")[0] != "torch" or not hasattr(obj, "untyped_storage"):
            return NotImplemented
        from reproof.digest import copy_bytes

        data = copy_bytes(obj)
        return NotImplemented if data is None else (tuple, ([str(obj.dtype), list(obj.shape), data],))


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: Any, taken: list[Any]) -> None:
        super().__init__(file)
        self._taken = taken

    def persistent_load(self, pid: Any) -> Any:
        return self._taken[pid]


class _Copy:
    """A copy of values, from which fresh ones can be made."""

    def __init__(self, values: list[Any]) -> None:
        self._taken: list[Any] = []
        file = io.BytesIO()
        _Pickler(file, self._taken).dump(values)
        self._data = file.getvalue()

    def make(self) -> list[Any]:
        """Return the values as they were."""
        values: list[Any] = _Unpickler(io.BytesIO(self._data), self._taken).load()
        return values


class _Hash(io.RawIOBase):
    """A file that only digests what is written to it."""

    def __init__(self) -> None:
        self.digest = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.digest.update(data)
        return memoryview(data).nbytes


def digest_value(value: Any) -> str | None:
    """Return a digest of the content of a value; None if it has none that can be told, such as a lock."""
    sink, taken = _Hash(), list[Any]()
    try:
        _DigestPickler(sink, taken).dump(value)
    except Exception:  # noqa: BLE001  # whatever an object of the user's raises when it is to be copied
        return None
    names = [(getattr(item, "__module__", ""), getattr(item, "__qualname__", repr(type(item)))) for item in taken]
    return f"{sink.digest.hexdigest()} {names}"

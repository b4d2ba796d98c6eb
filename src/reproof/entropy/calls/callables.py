"""Which calls are watched, and what they are called.

Not watched are calls of the user's own code, whose own calls are; of PyTorch, whose operations are recorded one by one
and whose generators are replayed; of what is tapped; and methods of plain values, which do what their arguments tell.
"""

from __future__ import annotations

import types
from typing import Any, Final

from reproof.entropy.calls.contents import name_type
from reproof.entropy.sites import OURS, USER, owner_of

PLAIN_OWNERS: Final[frozenset[type]] = frozenset(
    {list, dict, str, tuple, set, frozenset, bytes, bytearray, int, float, bool, complex, type(None), slice, range}
)
PURE_MODULES: Final = frozenset({"math", "cmath"})
TORCH: Final = "torch"
SYSTEM: Final = {"posix": "os", "nt": "os"}
"""Modules of C, and those by which everybody knows their functions."""


def is_watched(function: Any) -> bool:
    """Whether a call of something is watched."""
    kind = type(function)
    if kind is types.MethodType:
        function, owner = function.__func__, function.__self__
        return not is_of_torch(type(owner)) and is_watched(function)
    if kind is types.FunctionType:
        owner = owner_of(function.__code__.co_filename)
        return owner not in {USER, OURS} and not is_within(function.__module__)
    if kind is types.BuiltinFunctionType:
        owner = function.__self__
        if isinstance(owner, types.ModuleType) or owner is None:
            module = function.__module__
            return module not in PURE_MODULES and not is_within(module)
        return type(owner) not in PLAIN_OWNERS and not is_of_torch(owner if isinstance(owner, type) else type(owner))
    if isinstance(function, type):
        return not is_of_torch(function) and not is_made_by_user(function)
    return not is_of_torch(kind) and not is_called_by_user(kind)


def is_within(module: str | None) -> bool:
    """Whether a module is a part of PyTorch."""
    return module is not None and module.partition(".")[0] == TORCH


def is_of_torch(kind: type) -> bool:
    """Whether a type is PyTorch's, or derived from one of its models, optimizers, loaders or tensors."""
    return any(is_within(known.__module__) for known in kind.__mro__)


def is_made_by_user(kind: type) -> bool:
    """Whether objects of a class are made by the user's code, in which calls are watched."""
    return any(_is_users(known.__dict__.get(name)) for known in kind.__mro__ for name in ("__init__", "__new__"))


def is_called_by_user(kind: type) -> bool:
    """Whether a call of an object of this type runs the user's code."""
    return any(_is_users(known.__dict__.get("__call__")) for known in kind.__mro__)


def _is_users(function: Any) -> bool:
    code = getattr(function, "__code__", None)
    return code is not None and owner_of(code.co_filename) == USER


def owner_of_call(function: Any) -> Any:
    """Return the object that a method is of, or None: for a function of a module as well."""
    owner = getattr(function, "__self__", None) if type(function) in METHODS else None
    return None if isinstance(owner, types.ModuleType | type) else owner


METHODS: Final = (types.MethodType, types.BuiltinFunctionType, types.MethodWrapperType)


def name_call(function: Any) -> str:
    """Return what a call is called in a report: ``polars.DataFrame.sample``, ``libc.so.6: rand``."""
    try:
        return _name_call(function)
    except Exception:  # noqa: BLE001  # of whatever a library calls its own
        return name_type(type(function))


def _name_call(function: Any) -> str:
    owner = owner_of_call(function)
    name = getattr(function, "__qualname__", None) or getattr(function, "__name__", None)
    if owner is not None:
        kind = type(owner)
        return f"{kind.__module__.partition('.')[0]}.{kind.__qualname__}.{function.__name__}"
    if not isinstance(name, str):
        return name_type(type(function))
    module = getattr(function, "__module__", None) or type(function).__module__
    package = str(module).partition(".")[0].removeprefix("_")
    package = SYSTEM.get(package, package)
    return name if package == "builtins" else f"{package}.{name}"

"""Put a tap in the place of a function.

A type that is written in C, such as `datetime.datetime`, refuses assignment, and putting another class in its place
would be seen by `isinstance`, by pickles and by subclasses. Its dictionary can be reached through the garbage
collector, which lists what a `mappingproxy` refers to; CPython must then be told that the type was changed, as it
caches methods (`PyType_Modified`, https://docs.python.org/3/c-api/type.html#c.PyType_Modified).
"""

from __future__ import annotations

import ctypes
import functools
import gc
import os
import sys
from types import BuiltinFunctionType, ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class Unbound(staticmethod):  # type: ignore[type-arg]
    """A function that no class makes a method of: `clock = time.time` in a class is called without the object.

    A static method may be called since Python 3.10, without a frame of its own.
    """

    def __reduce__(self) -> str:
        """Return the name: functions are pickled and copied by it, and so is this."""
        return str(self.__qualname__)


def liken(replacement: Callable[..., Any], original: Callable[..., Any]) -> Callable[..., Any]:
    """Return what takes the place of a function of a module: one that is written in C becomes no method."""
    if not isinstance(original, (BuiltinFunctionType, Unbound)):
        return replacement
    unbound = Unbound(replacement)
    unbound.__dict__.update(vars(replacement))
    return unbound


def replace_function(owner: Any, name: str, replacement: Callable[..., Any]) -> None:
    """Replace a function of a module or class by one that looks like it.

    Effects: changes `owner` for the whole process.
    """
    functools.update_wrapper(replacement, getattr(owner, name))
    if isinstance(owner, ModuleType):
        replacement.__module__ = owner.__name__  # where it is found under its name, by those who pickle it
        replacement = liken(replacement, getattr(owner, name))
    setattr(owner, name, replacement)


def share_abilities(original: Callable[..., Any], replacement: Callable[..., Any]) -> None:
    """Let a replacement count as able to do what the original can: `shutil` asks the sets of `os` before it calls."""
    for abilities in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks):
        if original in abilities:
            abilities.add(replacement)


def replace_method(owner: type, name: str, replacement: Any) -> bool:
    """Replace one entry of a type's dictionary; return whether that is possible here.

    Effects: changes the type for the whole process.
    """
    if sys.implementation.name != "cpython":
        return False
    # `owner.__dict__` is a read-only view of the real dictionary. The garbage collector lists what the view refers to,
    # which is that dictionary and nothing else; were it not so in some version, the type is left alone.
    found = [thing for thing in gc.get_referents(owner.__dict__) if type(thing) is dict]
    if len(found) != 1 or name not in found[0]:
        return False
    found[0][name] = replacement
    # CPython caches for each type which method a name finds. Without this call the old function would still be found
    # by lines that have called it, in this type and in those derived from it.
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(owner))
    return True

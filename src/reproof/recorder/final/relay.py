"""Hand on an exception of a signal handler out of a finalizer, where Python would print and drop it.

A handler of the program's runs between any two instructions of the main thread, and hashing a large model takes long
enough for one to run inside of our ``__del__``. What it raises there is the training's: a `TimeoutError` that ends an
epoch, or Ctrl-C. Python calls it unraisable and goes on.
"""

from __future__ import annotations

import ctypes
import functools
import threading
import weakref
from typing import Any, Final

_SET_ASYNC: Final = ctypes.pythonapi.PyThreadState_SetAsyncExc
_SET_ASYNC.argtypes = [ctypes.c_ulong, ctypes.py_object, ctypes.py_object]  # the third takes the weak reference

_watched: set[weakref.ref[Token]] = set()
"""Weak references must live as long as their tokens, or they call nothing."""


class Token:
    """What a finalizer returns; its end marks the moment at which no frame of ours is left."""


def relay(error: BaseException) -> Token:
    """Have an error raised in the main thread by the instruction that follows the finalizer.

    A finalizer's result is dropped by the interpreter as soon as its frame is gone. The weak reference to it then
    calls `PyThreadState_SetAsyncExc`, a C function, so that no Python frame of ours stands between the error and the
    program. Only the class of an exception can be set so; it is one that raises the error when it is made.

    Args:
        error: What a signal handler has raised. Handlers run in the main thread alone.

    Returns:
        What the finalizer must return. A reference to it kept anywhere delays the error.
    """

    class Relay(BaseException):
        def __new__(cls, *_: Any) -> Relay:  # noqa: PYI034  # it returns nothing at all
            _watched.clear()
            raise error

    token = Token()
    main = threading.main_thread().ident
    _watched.add(weakref.ref(token, functools.partial(_SET_ASYNC, main, Relay)))
    return token

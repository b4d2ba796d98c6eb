"""Let what a signal handler of the program raises through, and note the timers that called one.

A handler runs between any two instructions, ours included. What it raises (a `TimeoutError`, by which a search for
hyper-parameters ends in time) is the program's, and must not be taken for an error of ours. When a timer calls is up to
the clock; no replay can call it again at the same instruction.
"""

from __future__ import annotations

import functools
import signal
import sys
from typing import TYPE_CHECKING, Any, Final

from reproof.entropy.handled import mark
from reproof.entropy.replacing import replace_function

if TYPE_CHECKING:
    from collections.abc import Callable

    from reproof.entropy.interception import Interceptor
    from reproof.entropy.ledger import Place

HANDLER: Final = "_reproof_handler"
TIMERS: Final = {"alarm": "SIGALRM", "setitimer": "SIGALRM"}
"""Functions of `signal` that start a timer, and the signal that it sends; not on Windows."""


def install(interceptor: Interceptor) -> None:
    """Wrap the program's handlers, so that what they raise is told from errors of ours.

    Effects: replaces functions of `signal`.
    """
    places: dict[int, Place] = {}
    set_handler, get_handler = signal.signal, signal.getsignal

    def wrap(handler: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(handler)
        def handle(number: int, frame: Any) -> Any:
            try:
                if (place := places.pop(number, None)) is not None:
                    place.note(number)
                return handler(number, frame)
            except Exception as error:
                mark(error)
                raise

        setattr(handle, HANDLER, handler)
        return handle

    def signal_tapped(signalnum: Any, handler: Any) -> Any:
        is_function = callable(handler) and handler is not signal.default_int_handler
        return unwrap(set_handler(signalnum, wrap(handler) if is_function else handler))

    def getsignal_tapped(signalnum: Any) -> Any:
        return unwrap(get_handler(signalnum))

    replace_function(signal, "signal", signal_tapped)
    replace_function(signal, "getsignal", getsignal_tapped)
    for name, sent in TIMERS.items():
        if hasattr(signal, name):
            tap_timer(interceptor, name, places, int(getattr(signal, sent)))


def tap_timer(interceptor: Interceptor, name: str, places: dict[int, Place], number: int) -> None:
    """Remember the user's line that starts a timer: it is noted if the timer calls before it is stopped."""
    original = getattr(signal, name)

    def start(*args: Any) -> Any:
        if name == "alarm" or args[:1] == (signal.ITIMER_REAL,):
            places.pop(number, None)
            is_started = any(args if name == "alarm" else args[1:2])
            place = interceptor.place_of(f"signal.{name}", "wall-clock", sys._getframe(1)) if is_started else None  # noqa: SLF001
            if place is not None:
                places[number] = place
        return original(*args)

    replace_function(signal, name, start)


def unwrap(handler: Any) -> Any:
    """Return the handler that the program has set."""
    return getattr(handler, HANDLER, handler)

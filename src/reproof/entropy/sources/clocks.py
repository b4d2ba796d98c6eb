"""Tap the clocks: `time`, `datetime` and what reads them, and how much a process has used."""

from __future__ import annotations

import datetime
import os
import time
from typing import TYPE_CHECKING, Any, Final

from reproof.entropy.interception import Tap
from reproof.entropy.replacing import liken, replace_method

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from reproof.entropy.interception import Interceptor

NUMBERS: Final = ("time", "perf_counter", "monotonic", "process_time", "thread_time")
"""Functions of `time` that return seconds; each has a twin that returns nanoseconds."""

NUMBERED: Final = ("clock_gettime", "clock_gettime_ns")
"""Functions of `time` that are given the clock that is to be read."""

CALENDARS: Final = {"localtime": 0, "gmtime": 0, "ctime": 0, "asctime": 0, "strftime": 1}
"""Functions of `time` that read the clock if they get fewer arguments than so many and one."""

MEASURING: Final = frozenset({"timeit"})
"""Modules of the standard library that read the clock for whoever calls them."""

NANOSECONDS: Final = 1_000_000_000


def install(interceptor: Interceptor) -> None:
    """Tap the clocks. Effects: replaces functions of `time` and methods of `datetime`."""
    shift = interceptor.plan.time_shift
    for name in NUMBERS:
        for twin, scale in ((name, 1), (f"{name}_ns", NANOSECONDS)):
            original = getattr(time, twin, None)
            if original is not None:
                moved = move_clock(original, shift * scale) if shift else original
                tap = Tap(source=f"time.{twin}", kind="wall-clock", python=MEASURING, is_clock=True)
                setattr(time, twin, liken(interceptor.tap(moved, tap), original))
    for name in NUMBERED:
        original = getattr(time, name, None)  # not on Windows
        if original is not None:
            moved = move_clock(original, shift * (NANOSECONDS if name.endswith("_ns") else 1)) if shift else original
            tap = Tap(source=f"time.{name}", kind="wall-clock", is_clock=True)
            setattr(time, name, liken(interceptor.tap(moved, tap), original))
    for name, position in CALENDARS.items():
        original = getattr(time, name)
        setattr(time, name, liken(interceptor.tap(original, make_calendar_tap(name, position)), original))
    tap_usage(interceptor)
    tap_datetime(interceptor, shift)
    tap_time_zone(interceptor)


def tap_usage(interceptor: Interceptor) -> None:
    """Tap what tells how much of a processor's time, and of memory, a process has used."""
    for module, name in ((os, "times"), (resource, "getrusage")):
        original = getattr(module, name, None)
        if original is not None:
            kind = type(original(*((0,) if name == "getrusage" else ())))
            tap = Tap(
                source=f"{module.__name__}.{name}",
                kind="wall-clock",
                encode=list,
                decode=lambda value, *_, kind=kind: kind(value),
            )
            setattr(module, name, liken(interceptor.tap(original, tap), original))


def tap_profiler(interceptor: Interceptor, module: Any) -> None:
    """Tap the table in which PyTorch's profiler tells its times: compiled code has measured them.

    Effects: replaces a method of `torch.autograd.profiler_util.EventList`.
    """
    tap = Tap(source="torch.profiler table", kind="wall-clock")
    module.EventList.table = interceptor.tap(module.EventList.table, tap)


def move_clock(original: Any, shift: float) -> Any:
    """Return a clock that is ahead by `shift`, in its own unit."""

    def moved(*clock: Any) -> Any:
        now = original(*clock)
        return now + type(now)(shift)

    moved.__name__, moved.__qualname__, moved.__module__ = original.__name__, original.__name__, "time"
    return moved


def make_calendar_tap(name: str, position: int) -> Tap:
    """Return the tap of a function that reads the clock unless it is given a time."""

    def applies(*args: Any) -> bool:
        return len(args) <= position or (name in {"localtime", "gmtime", "ctime"} and args[position] is None)

    is_struct = name in {"localtime", "gmtime"}
    return Tap(
        source=f"time.{name}",
        kind="wall-clock",
        applies=applies,
        stands_in=True,  # for what else these do, another function of ours stands before
        encode=list if is_struct else str,
        decode=(lambda value, *_: time.struct_time(value)) if is_struct else None,
    )


def tap_datetime(interceptor: Interceptor, shift: float) -> None:
    """Tap the class methods of `datetime` that read the clock."""
    ahead = datetime.timedelta(seconds=shift)
    for owner, name in (
        (datetime.datetime, "now"),
        (datetime.datetime, "utcnow"),
        (datetime.datetime, "today"),
        (datetime.date, "today"),
    ):
        original = owner.__dict__.get(name)
        if original is not None:
            replace_method(owner, name, classmethod(make_datetime_tap(interceptor, owner, name, original, ahead)))


def tap_time_zone(interceptor: Interceptor) -> None:
    """Tap what turns seconds into the local time of whoever runs it, or back, for calls from the user's own code.

    A logger, say, stamps its lines by `time.localtime`.
    """
    for name in ("localtime", "ctime", "mktime"):
        original = getattr(time, name)
        setattr(time, name, liken(interceptor.tap(original, make_zone_tap(name)), original))
    owner = datetime.datetime
    original = owner.__dict__["fromtimestamp"]

    def convert(cls: type, timestamp: float, tz: Any = None) -> Any:
        return original.__get__(None, cls)(timestamp, tz)

    convert.__name__, convert.__qualname__ = "fromtimestamp", "datetime.fromtimestamp"
    tap = Tap(
        source="datetime.datetime.fromtimestamp",
        kind="environment",
        applies=lambda _cls, _timestamp, tz=None: tz is None,
        encode=lambda moment: moment.isoformat(),
        decode=lambda value, cls, *_: cls.fromisoformat(value),
    )
    replace_method(owner, "fromtimestamp", classmethod(interceptor.tap(convert, tap)))


def make_zone_tap(name: str) -> Tap:
    """Return the tap of a function of `time` that is given a time."""
    is_struct = name == "localtime"
    return Tap(
        source=f"time.{name}" if name == "mktime" else f"time.{name}(seconds)",
        kind="environment",
        libraries=False,
        applies=lambda *args: bool(args) and args[0] is not None,
        encode=list if is_struct else None,
        decode=(lambda value, *_: time.struct_time(value)) if is_struct else None,
    )


def make_datetime_tap(
    interceptor: Interceptor, owner: type, name: str, original: Any, ahead: datetime.timedelta
) -> Any:
    """Return the tap of a class method that reads the clock."""

    def read(cls: type, *args: Any, **kwargs: Any) -> Any:
        now = original.__get__(None, cls)(*args, **kwargs)
        return now + ahead if ahead else now

    def decode(value: str, cls: Any, tz: Any = None) -> Any:
        moment = cls.fromisoformat(value)
        return moment if tz is None else moment.astimezone(tz)

    read.__name__, read.__qualname__, read.__doc__ = name, f"{owner.__name__}.{name}", original.__doc__
    tap = Tap(
        source=f"datetime.{owner.__name__}.{name}",
        kind="wall-clock",
        encode=lambda moment: moment.isoformat(),
        decode=decode,
    )
    return interceptor.tap(read, tap)

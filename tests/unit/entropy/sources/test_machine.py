"""What measures the machine gives back a value of an earlier run in the form that it has itself."""

from __future__ import annotations

import json
import shutil
from collections import namedtuple
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

from reproof.entropy.sources.machine import restore, tap_psutil

if TYPE_CHECKING:
    from reproof.entropy.interception import Tap

Memory = namedtuple("Memory", "total available")  # noqa: PYI024  # as psutil makes them


def test_a_named_tuple_comes_back_as_one() -> None:
    """JSON keeps it as a list."""
    noted = json.loads(json.dumps(Memory(8, 3)))
    assert restore(lambda: Memory(8, 4), noted) == Memory(8, 3)


def test_numbers_and_lists_of_them_come_back_as_they_are() -> None:
    """Those that psutil returns of one processor, or of each."""
    assert restore(lambda: 0.5, 12.5) == 12.5
    assert restore(lambda **_: [0.5, 0.5], [12.5, 25.0], percpu=True) == [12.5, 25.0]


def test_what_the_function_is_given_is_asked_again() -> None:
    """The form of the free space of a folder needs the folder."""
    assert restore(shutil.disk_usage, [3, 2, 1], ".").free == 1


def test_what_a_process_takes_is_tapped_as_well() -> None:
    """On the class, for each of its objects; what the installed version lacks is passed over."""
    psutil: Any = ModuleType("psutil")
    psutil.Process = type("Process", (), {"memory_info": lambda _: Memory(8, 3)})
    tapped = []

    def tap(original: Any, tap: Tap, _home: str) -> Any:
        tapped.append(tap.source)
        return lambda process: original(process)._replace(available=2)

    interceptor: Any = SimpleNamespace(tap=tap)
    tap_psutil(interceptor, psutil)
    assert tapped == ["psutil.memory_info"]
    assert psutil.Process().memory_info() == Memory(8, 2)

"""Tap whether an event of `threading` is set: whoever asks learns how far another thread, or a timer, has come."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from reproof.entropy.interception import Tap
from reproof.entropy.races.waiting import PATIENCE_SECONDS
from reproof.entropy.replacing import replace_function

if TYPE_CHECKING:
    from reproof.entropy.interception import Interceptor


def install(interceptor: Interceptor) -> None:
    """Tap the methods of `Event` that tell. Effects: replaces methods of `threading.Event`."""
    wait, is_set = threading.Event.wait, threading.Event.is_set

    def answer(is_set_earlier: bool, event: threading.Event) -> bool:  # noqa: FBT001
        if is_set_earlier:
            wait(event, PATIENCE_SECONDS)  # whoever sets it has done its work
        return is_set_earlier

    tap = Tap(source="threading.Event.is_set", kind="concurrency", libraries=False, decode=answer)
    replace_function(threading.Event, "is_set", interceptor.tap(is_set, tap))

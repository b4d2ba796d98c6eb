"""What a signal handler raises within a finalizer reaches the program, where Python would print and drop it."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import pytest

from reproof.recorder.final.relay import relay

if TYPE_CHECKING:
    from types import FrameType

    from reproof.recorder.final.relay import Token


class Interrupted:
    """Its finalizer raises what a handler raised in it, as the recorder's does."""

    def __init__(self, error: BaseException) -> None:
        """Raise this error."""
        self._error = error

    def __del__(self) -> Token | None:
        """Hand on the error."""
        return relay(self._error)


@pytest.mark.parametrize("kind", [TimeoutError, KeyboardInterrupt, ValueError])
def test_the_very_error_arrives(kind: type[BaseException]) -> None:
    """Same object, raised in the code that let the object die."""
    error = kind("late")

    def train() -> None:
        Interrupted(error)
        time.sleep(0)

    with pytest.raises(kind, match="late") as caught:
        train()
    assert caught.value is error


def test_a_handler_that_runs_in_a_finalizer_ends_the_program_it_meant_to_end() -> None:
    """The handler's own error, raised while the finalizer is at work, is caught by who waits for it."""

    class Slow:
        def __del__(self) -> Token | None:
            try:
                signal.raise_signal(signal.SIGUSR1)
                sum(range(1000))
            except BaseException as error:  # noqa: BLE001  # as the recorder does
                return relay(error)
            return None

    def handle(_number: int, _frame: FrameType | None) -> None:
        raise TimeoutError("from the handler")

    def train() -> None:
        Slow()
        time.sleep(0)

    before = signal.signal(signal.SIGUSR1, handle)
    try:
        with pytest.raises(TimeoutError, match="from the handler"):
            train()
    finally:
        signal.signal(signal.SIGUSR1, before)

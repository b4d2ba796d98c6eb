"""Signal handlers of the program work as without us, wherever they interrupt it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from reproof.entropy.ledger import read_ledgers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.conftest import Command

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such timers")

LIMITED = """
    import signal, time, torch
    from torch import nn

    def ring(number, frame):
        raise TimeoutError("time is up")

    model = nn.Linear(2, 1)

    def evaluate():
        with torch.no_grad():
            model(torch.ones(1, 2))

    def train():
        model(torch.ones(1, 2)).sum().backward()

    for work in (evaluate, time.time, train):
        signal.signal(signal.SIGALRM, ring)
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        try:
            while True:
                work()
        except TimeoutError as error:
            handler = signal.getsignal(signal.SIGALRM)
            print(error, handler is ring, signal.signal(signal.SIGALRM, signal.SIG_DFL) is ring)
"""


@pytest.mark.parametrize("number", [0, *(pytest.param(number, marks=pytest.mark.thorough) for number in range(1, 5))])
def test_an_error_of_a_handler_reaches_the_program(
    number: int, tmp_path: Path, write: Callable[[str], None], reproof: Command
) -> None:
    """A `TimeoutError` ends the search that it was meant to end, also if it comes while something is recorded."""
    write(LIMITED)
    done = reproof("run", "-o", "run", "--level", "ops", "train.py")
    assert done.out == "time is up True True\n" * 3
    assert done.code == 0 or "TimeoutError: time is up" in done.err  # what it interrupted is not recorded
    assert find_timers(tmp_path / "run") == ["signal.setitimer"]


def test_a_timer_that_is_stopped_in_time_is_not_noted(
    tmp_path: Path, write: Callable[[str], None], reproof: Command
) -> None:
    """It has changed nothing."""
    write("""
        import signal
        signal.signal(signal.SIGALRM, lambda *_: None)
        signal.alarm(50)
        print(signal.alarm(0) > 40, signal.setitimer(signal.ITIMER_REAL, 50.0), signal.setitimer(0, 0.0)[0] > 40)
    """)
    assert reproof("run", "-o", "run", "train.py").out == "True (0.0, 0.0) True\n"
    assert find_timers(tmp_path / "run") == []


def find_timers(trace: Path) -> list[str]:
    """Return the timers that have interrupted a run."""
    sources = read_ledgers(trace)["0"].values()
    return [source.source for source in sources if source.source.startswith("signal") and source.values]

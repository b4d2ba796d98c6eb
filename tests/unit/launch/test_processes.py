"""Runs in fresh processes: their command lines, their order, and that none is left behind.

None of these scripts imports PyTorch: they start in a fraction of a second.
"""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reproof.launch import processes
from reproof.launch.folders import FolderChange
from reproof.launch.processes import (
    FinishedRun,
    RunProcess,
    RunRequest,
    draw_hash_seed,
    process_arguments,
    run_all,
    signals_as_exit,
)

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., RunRequest]:
    """Return what makes a request to run a script of this text."""
    (tmp_path / "work").mkdir()

    def request(name: str, text: str, **options: Any) -> RunRequest:
        script = tmp_path / "work" / f"{name}.py"
        script.write_text(text, encoding="utf-8")
        (tmp_path / "check").mkdir(exist_ok=True)
        fields: dict[str, Any] = {"folder": tmp_path / "work", "trace": tmp_path / "check" / name, "level": "steps"}
        return RunRequest(command=(script.name, name), **{**fields, "options": ("--quiet",), **options})

    return request


def test_the_command_line_of_a_run() -> None:
    """Our options, then the command as the user gave it."""
    request = RunRequest(
        command=("-m", "package.train", "--steps", "9"),
        folder=Path("here"),
        trace=Path("/traces/a"),
        level="modules",
        num_steps=3,
        options=("--statistics",),
    )
    arguments = process_arguments(request)
    assert arguments[3:] == [
        "run", "-o", "/traces/a", "--level", "modules", "--steps", "3", "--statistics",
        "-m", "package.train", "--steps", "9",
    ]  # fmt: skip


def test_a_hash_seed_is_drawn_unless_the_user_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Zero, which switches the randomisation off, is a choice of the user too."""
    for value in ("0", "7"):
        monkeypatch.setenv("PYTHONHASHSEED", value)
        assert draw_hash_seed() is None
    monkeypatch.setenv("PYTHONHASHSEED", "random")
    assert len({draw_hash_seed() for _ in range(8)} - {None}) > 1
    monkeypatch.delenv("PYTHONHASHSEED")
    assert len({draw_hash_seed() for _ in range(8)} - {None}) > 1


def test_the_last_words_of_a_run(tmp_path: Path) -> None:
    """The end of its output, without what the recorder adds about the trace, whatever its encoding."""
    output = tmp_path / "output.txt"
    text = b"1\n2\nValueError: \xff\nreproof: the trace x is incomplete: f.py raised ValueError\n\n"
    output.write_bytes(text)
    run = FinishedRun(trace=tmp_path, exit_code=1, seconds=1.0, changes=FolderChange(), output=output)
    assert run.last_lines(2) == ["2", "ValueError: �"]
    output.unlink()
    assert run.last_lines() == []


def test_what_a_run_prints_is_for_its_owner_alone(make: Callable[..., RunRequest]) -> None:
    """It may hold credentials."""
    run = run_all([make("a", "print('hunter2')")])[0]
    assert run.output is not None
    assert run.output.stat().st_mode & 0o777 == 0o600


def test_runs_come_back_in_the_order_of_the_requests(make: Callable[..., RunRequest]) -> None:
    """Whichever ends first; each with its exit code, output, and what it has changed."""
    slow = make("slow", "import time, sys; time.sleep(1); open('made', 'w'); print(sys.argv); sys.exit(3)")
    quick = make("quick", "import sys; print('to stderr', file=sys.stderr)")
    seen: set[int] = set()
    finished = run_all([slow, quick], num_jobs=2, watch=lambda running: seen.add(len(running)))
    assert [run.trace.name for run in finished] == ["slow", "quick"]
    assert [run.exit_code for run in finished] == [3, 0]
    assert finished[0].seconds > 1
    assert finished[0].changes.created == ("made",)
    assert finished[0].last_lines() == ["['slow.py', 'slow']"]
    assert finished[1].last_lines() == ["to stderr"]
    assert seen == {1, 2}


def test_one_after_the_other(make: Callable[..., RunRequest]) -> None:
    """By default there is never more than one."""
    numbers: list[int] = []
    run_all([make(name, "") for name in "ab"], watch=lambda running: numbers.append(len(running)))
    assert set(numbers) == {1}


@pytest.mark.parametrize("script", ["pass", "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"])
def test_no_run_is_left_behind(script: str, make: Callable[..., RunRequest], monkeypatch: pytest.MonkeyPatch) -> None:
    """If anything raises while they run, they are ended: as by Ctrl-C, and by force if they do not listen."""
    monkeypatch.setattr(processes, "GRACE_SECONDS", 1.0)
    requests = [make(name, f"{script}\nopen('{name}.ready', 'w')\nimport time; time.sleep(100)") for name in "ab"]
    known: set[RunProcess] = set()

    def watch(running: list[RunProcess]) -> None:
        known.update(running)
        if len(list(requests[0].folder.glob("*.ready"))) == 2:
            raise ArithmeticError

    start = time.monotonic()
    with pytest.raises(ArithmeticError):
        run_all(requests, num_jobs=2, watch=watch)
    assert time.monotonic() - start < 60
    assert len(known) == 2
    assert all(process.has_ended() for process in known)


class TestSignals:
    """Signals that would end the process at once."""

    def test_they_become_an_exit(self) -> None:
        """While runs are under way; then the handlers are as before."""
        with pytest.raises(SystemExit) as caught, signals_as_exit():
            signal.raise_signal(signal.SIGTERM)
        assert caught.value.code == 128 + signal.SIGTERM
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL

    def test_handlers_of_the_program_stay(self) -> None:
        """Whoever handles a signal knows what to do with it."""
        received: list[int] = []
        before = signal.signal(signal.SIGTERM, lambda number, _frame: received.append(number))
        try:
            with signals_as_exit():
                signal.raise_signal(signal.SIGTERM)
        finally:
            signal.signal(signal.SIGTERM, before)
        assert received == [signal.SIGTERM]

    def test_in_another_thread_nothing_is_changed(self) -> None:
        """Python lets only the main thread set handlers."""
        found: list[Any] = []

        def look() -> None:
            with signals_as_exit():
                found.append(signal.getsignal(signal.SIGTERM))

        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
        assert found == [signal.SIG_DFL]

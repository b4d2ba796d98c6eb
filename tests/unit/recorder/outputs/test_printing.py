"""What a script prints is noted, by thread, and printed as without us."""

from __future__ import annotations

import io
import sys
import threading
from typing import TYPE_CHECKING

from reproof.recorder.outputs.printing import PrintedLines

if TYPE_CHECKING:
    import pytest


def watch(monkeypatch: pytest.MonkeyPatch) -> tuple[PrintedLines, io.TextIOWrapper]:
    """Return the lines under watch, and the standard output that they are written to from now on."""
    output = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    monkeypatch.setattr(sys, "stdout", output)
    lines = PrintedLines()
    lines.watch()
    return lines, output


def say(*words: object) -> None:
    """Print."""
    print(*words)  # noqa: T201  # what is tested


def texts(lines: PrintedLines) -> list[tuple[str, str]]:
    """Return worker and text of each line."""
    return [(line.worker, line.text) for line in lines.finish()[0]]


def test_lines_are_noted_and_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    """By whatever writes to the stream."""
    lines, output = watch(monkeypatch)
    say("a", 1)
    sys.stdout.write("b")
    sys.stdout.writelines(["c\n", "d\n"])
    output.flush()
    assert output.buffer.getvalue() == b"a 1\nbc\nd\n"  # type: ignore[attr-defined]
    lines.stop()
    assert texts(lines) == [("", "a 1"), ("", "bc"), ("", "d")]
    assert lines.num_characters["stdout"] == 9


def test_the_stream_stays_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its type, and its own write once the watch is over."""
    lines, output = watch(monkeypatch)
    assert sys.stdout is output
    lines.stop()
    assert "write" not in vars(output)
    say("after")
    assert texts(lines) == []


def test_threads_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their lines may come in any order."""
    lines, _ = watch(monkeypatch)
    thread = threading.Thread(target=say, args=("beside",), name="evaluator")
    thread.start()
    thread.join()
    say("main")
    lines.stop()
    assert texts(lines) == [("evaluator", "beside"), ("", "main")]


def test_a_write_of_somebody_else_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream whose write was replaced before is not watched."""
    output = io.TextIOWrapper(io.BytesIO())
    output.write = len  # type: ignore[method-assign,assignment]
    own = output.write
    monkeypatch.setattr(sys, "stdout", output)
    lines = PrintedLines()
    lines.watch()
    assert output.write is own
    lines.stop()

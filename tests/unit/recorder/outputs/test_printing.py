"""What a script prints is noted, by thread, and printed as without us."""

from __future__ import annotations

import io
import os
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from reproof.entropy.ledger import Ledger, count_printed, read_printed
from reproof.outputs.records import ELSEWHERE
from reproof.recorder.outputs import printing
from reproof.recorder.outputs.printing import NotedText, PrintedLines, collect_noted, find_places

if TYPE_CHECKING:
    from pathlib import Path


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


def test_bytes_are_noted_that_are_written_to_the_buffer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once: text reaches the buffer when it is flushed."""
    lines, output = watch(monkeypatch)
    say("a")
    output.buffer.write(b"b \xc3\xa9\n")
    sys.stdout.flush()
    output.buffer.write(b"c\n")
    say("d", "e" * io.DEFAULT_BUFFER_SIZE)
    output.flush()
    assert [text[:3] for _, text in texts(lines)] == ["a", "b é", "c", "d e"]
    lines.stop()
    assert not vars(output) | vars(output.buffer)


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


def test_what_is_written_by_descriptor_is_noted(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """To standard output and error, as far as it was written; the functions are their own again afterwards."""
    originals = os.write, os.writev
    lines, _ = watch(monkeypatch)
    assert os.write(1, b"accuracy 0.5\n") == 13
    assert os.writev(1, iter([b"f1 ", memoryview(b"0.25\n")])) == 8
    os.write(2, memoryview(b"a warning\n"))
    assert not lines.copied
    lines.stop()
    assert (os.write, os.writev) == originals
    assert texts(lines) == [("", "accuracy 0.5"), ("", "f1 0.25"), ("", "a warning")]
    assert capfd.readouterr() == ("accuracy 0.5\nf1 0.25\n", "a warning\n")


def test_copies_of_descriptors_are_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of the two streams alone."""
    lines, _ = watch(monkeypatch)
    with (tmp_path / "a").open("w") as file:
        os.close(os.dup(file.fileno()))
        lines.note_copy(file.name, "open")
    lines.note_function("strlen")
    assert not lines.copied
    copy = os.dup(1)
    os.dup2(1, copy, inheritable=False)
    os.close(copy)
    lines.note_copy("/dev/stdout", "open('/dev/stdout')")
    lines.note_function("puts")
    lines.stop()
    assert list(lines.copied) == ["os.dup", "os.dup2", "open('/dev/stdout')", "puts of C"]


def test_a_stream_in_the_place_of_the_one_watched_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """If it writes past it: one that the script has opened anew, not one that passes text on or leads elsewhere."""
    lines, output = watch(monkeypatch)
    assert lines.list_replaced() == []
    for descriptor, expected in ((1, ["stdout"]), (2, [])):
        with open(os.dup(descriptor), "w", encoding="utf-8") as other:  # noqa: PTH123  # a descriptor
            monkeypatch.setattr(other, "fileno", lambda number=descriptor: number, raising=False)
            monkeypatch.setattr(sys, "stdout", other)
            assert lines.list_replaced() == expected
    monkeypatch.setattr(sys, "stdout", output)
    lines.stop()


class TestNotedText:
    """What a process prints that the recorded one has started."""

    @pytest.fixture
    def ledger(self, tmp_path: Path) -> Ledger:
        """Return the ledger of such a process."""
        return Ledger(tmp_path, "0.1")

    @staticmethod
    def read(tmp_path: Path) -> list[tuple[str, str, str]]:
        """Return stream, worker and text of the lines."""
        return [(line.stream, line.worker, line.text) for line in collect_noted(read_printed(tmp_path))]

    def test_lines_are_noted_as_they_end(self, ledger: Ledger, tmp_path: Path) -> None:
        """The process may be killed; what has not ended is noted at the end."""
        text = NotedText(find_places(), ledger.note)
        for piece in ("accuracy", " ", "0.5", "\n", "rest"):
            text.write("stdout", piece)
        text.write("stderr", "1%\r2%")
        assert self.read(tmp_path) == [("stdout", ELSEWHERE, "accuracy 0.5")]
        text.finish()
        assert self.read(tmp_path) == [
            ("stdout", ELSEWHERE, "accuracy 0.5"),
            ("stdout", ELSEWHERE, "rest"),
            ("stderr", ELSEWHERE, "2%"),
        ]

    def test_all_that_was_written_is_counted(self, ledger: Ledger, tmp_path: Path) -> None:
        """What was drawn over, too: what a file of the output has more is of nobody known."""
        text = NotedText(find_places(), ledger.note)
        for piece in ("\r1%", "\r2%", "\n", "a\n", "\r"):
            text.write("stdout", piece)
        text.finish()
        assert count_printed(read_printed(tmp_path), "stdout") == 10
        assert self.read(tmp_path) == [("stdout", ELSEWHERE, "2%"), ("stdout", ELSEWHERE, "a")]

    def test_what_goes_elsewhere_is_not(self, ledger: Ledger, tmp_path: Path) -> None:
        """Into a pipe that the script reads, as a child with ``stdout=PIPE``."""
        NotedText({**find_places(), "stdout": (0, 0)}, ledger.note).write("stdout", "a\n")
        assert self.read(tmp_path) == []

    def test_bounded_and_without_credentials(
        self, ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The last piece says that there may be more."""
        monkeypatch.setattr(printing, "MAX_PRINTED", 20)
        text = NotedText(find_places(), ledger.note)
        for piece in ("password=abcdefgh1234\n", "more\n"):
            text.write("stdout", piece)
        (noted,) = read_printed(tmp_path)
        assert noted.is_last
        assert "abcdefgh1234" not in noted.text

"""Every run is given the same standard input."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from reproof.errors import UsageError
from reproof.launch.stdin import StandardInput, opened_for_run

if TYPE_CHECKING:
    from pathlib import Path


def read_all(given: StandardInput | None) -> bytes:
    """Return what a run reads that reads to the end."""
    with opened_for_run(given) as stdin:
        return subprocess.run(["/bin/cat"], stdin=stdin, stdout=subprocess.PIPE, check=True).stdout


def test_a_pipe_is_read_once_and_given_to_each_run() -> None:
    """Also one that holds more than fits into a pipe."""
    end, start = os.pipe()
    text = os.urandom(300_000)

    def write() -> None:
        with os.fdopen(start, "wb") as file:
            file.write(text)

    threading.Thread(target=write).start()
    given = StandardInput(end)
    assert [read_all(given) for _ in range(3)] == [text] * 3
    os.close(end)


def test_a_pipe_that_is_never_closed_keeps_nobody_waiting() -> None:
    """A run that does not read ends, and one that reads a line gets it."""
    end, start = os.pipe()
    given = StandardInput(end)
    with opened_for_run(given) as stdin:
        subprocess.run(["/bin/true"], stdin=stdin, check=True, timeout=60)
    os.write(start, b"4\n")
    for _ in range(2):
        with opened_for_run(given) as stdin:
            done = subprocess.run(
                ["/usr/bin/head", "-n", "1"], stdin=stdin, capture_output=True, timeout=60, check=True
            )
        assert done.stdout == b"4\n"
    os.close(start)


def test_a_file_is_given_where_it_stands(tmp_path: Path) -> None:
    """And is not moved on, so that what comes after the command finds the rest."""
    (tmp_path / "file").write_bytes(b"first\nsecond\n")
    with (tmp_path / "file").open("rb", buffering=0) as file:
        file.seek(6)
        given = StandardInput(file.fileno())
        assert [read_all(given) for _ in range(2)] == [b"second\n"] * 2
        if sys.platform == "linux":
            assert file.tell() == 6


def test_too_much_is_refused() -> None:
    """It would have to be kept in memory."""
    end, start = os.pipe()
    given = StandardInput(end, max_bytes=10)
    os.write(start, b"0123456789x")
    os.close(start)
    assert read_all(given) == b""
    with pytest.raises(UsageError, match="standard input holds over 10 bytes"):
        given.check()
    os.close(end)


def test_nothing_is_at_its_end() -> None:
    """A run without input reads nothing, and does not wait."""
    assert read_all(None) == b""

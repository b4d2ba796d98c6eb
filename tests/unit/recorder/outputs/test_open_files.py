"""Files that a script never closes."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

from reproof.recorder.outputs.open_files import flush_files, list_under_way

if TYPE_CHECKING:
    from pathlib import Path


def test_what_open_files_hold_back_is_written(tmp_path: Path) -> None:
    """Of text and of bytes; a pipe is left alone."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    with (
        os.fdopen(reader, "rb") as left,
        os.fdopen(writer, "w", encoding="utf-8") as pipe,
        (tmp_path / "text").open("w", encoding="utf-8") as text,
        (tmp_path / "raw").open("w+b") as raw,
    ):
        text.write("0.5")
        raw.write(b"0.25")
        pipe.write("x")
        flush_files()
        assert (tmp_path / "text").read_bytes() == b"0.5"
        assert (tmp_path / "raw").read_bytes() == b"0.25"
        assert not left.read()


def test_what_compresses_is_not_touched_and_told(tmp_path: Path) -> None:
    """A flush would leave a mark in it, and its end is only written when it is closed."""
    for name, is_flushed in (("a.gz", True), ("b.gz", False)):
        archive = zipfile.ZipFile(tmp_path / "c.zip", "w")
        with gzip.open(tmp_path / name, "wt", encoding="utf-8") as file, archive:
            file.write("0.5")
            archive.writestr("x", "1")
            if is_flushed:
                flush_files()
            assert list_under_way()[0] == {str(tmp_path / name), str(tmp_path / "c.zip")}
    assert (tmp_path / "a.gz").read_bytes()[12:] == (tmp_path / "b.gz").read_bytes()[12:]  # without the names
    with zipfile.ZipFile(tmp_path / "c.zip"):
        assert not list_under_way()[0]


def test_a_program_that_goes_on_is_told() -> None:
    """One that has ended is not, and is left to be waited for."""
    failing = [sys.executable, "-c", "raise SystemExit(1)"]
    with subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE), subprocess.Popen(failing) as ended:
        os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
        assert list_under_way()[1] == ["cat"]
        assert ended.wait() == 1
    assert list_under_way()[1] == []

"""Errors of the command line are one line and exit code 2."""

from __future__ import annotations

import errno
import os

import pytest

from reproof.cli.main import group, main


def test_a_full_disk_is_one_line_and_exit_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever was being written; any other error of the system is ours, with its traceback."""

    def fail(code: int) -> None:
        raise OSError(code, os.strerror(code), "probe.json")

    monkeypatch.setattr(group, "main", lambda *_, **__: fail(errno.ENOSPC))
    with pytest.raises(SystemExit, match="2"):
        main([])
    assert capsys.readouterr().err.splitlines() == [
        "reproof: error: No space left on device: free some, or name a folder elsewhere with --keep or in TMPDIR"
    ]
    monkeypatch.setattr(group, "main", lambda *_, **__: fail(errno.EIO))
    with pytest.raises(OSError, match="probe"):
        main([])

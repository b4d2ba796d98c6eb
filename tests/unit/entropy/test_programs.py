"""Which programs are followed, and what they are told."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

import pytest

from reproof.entropy.programs import MAX_CHARACTERS, PATH, STARTUP, VARIABLE, Program, judge, list_commands, prepare

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("executable", "arguments", "kind"),
    [
        (sys.executable, ["python", "train.py"], True),
        (sys.executable, ["python", "-V"], None),
        (sys.executable, ["python"], True),
        ("/bin/sh", ["sh", "-c", "python train.py"], False),
        ("/bin/ls", ["ls"], None),
        ("/no/such/file", ["file"], None),
    ],
)
def test_which_programs_start_python(executable: str, arguments: list[str], *, kind: bool | None) -> None:
    """Our interpreter surely does, unless it only prints its version; a shell may; others do not."""
    assert judge([executable], arguments) is kind


def test_a_script_is_judged_by_its_first_line(tmp_path: Path) -> None:
    """A console script is a Python program; one of another interpreter may start one."""
    for name, first, kind in (("ours", sys.executable, True), ("other", "/usr/bin/env python3", False)):
        (tmp_path / name).write_text(f"#!{first}\nprint()\n", encoding="utf-8")
        assert judge([str(tmp_path / name)], [name]) is kind


@pytest.mark.parametrize(
    ("before", "after"), [(None, STARTUP), (b"", STARTUP), (b"/a:/b", os.pathsep.join([STARTUP, "/a:/b"]))]
)
def test_what_a_program_is_told(tmp_path: Path, before: bytes | None, after: str) -> None:
    """Its label, what it executes first, and PYTHONPATH as it would have been."""
    told = prepare([sys.executable], ["python"], before, lambda _: Program("0.1", "pass", str(tmp_path)))
    assert told is not None
    given = json.loads(told[VARIABLE])
    assert told[PATH] == after
    assert (given["label"], given["program"], given["is_direct"]) == ("0.1", "pass", True)
    assert given["python_path"] == (None if before is None else before.decode())
    assert (tmp_path / "0.1").is_dir()


def test_a_shell_is_told_without_a_folder(tmp_path: Path) -> None:
    """It may start no Python at all."""
    told = prepare(["/bin/sh"], ["sh"], None, lambda _: Program("0.1.run0", "pass", str(tmp_path)))
    assert told is not None
    assert json.loads(told[VARIABLE])["shell"] == "0.1"
    assert list(tmp_path.iterdir()) == []


def test_what_does_not_fit_into_a_variable_is_seen_to_be_missing(tmp_path: Path) -> None:
    """The program starts as it would, and its folder stays empty."""
    program = Program("0.1", "x" * MAX_CHARACTERS, str(tmp_path))
    assert prepare([sys.executable], ["python"], None, lambda _: program) is None
    assert (tmp_path / "0.1").is_dir()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("date; free -m | head -2", ["date", "free"]),
        ("mkdir -p a && nvidia-smi", ["mkdir", "nvidia-smi"]),
        ("cat log | awk 1 || ./eval.sh &", ["cat", "awk", "./eval.sh"]),
        ("head -1 results.txt", ["head"]),
        ("date $(./eval.sh)", ["sh", "date"]),
        ("", []),
    ],
)
def test_the_programs_that_a_shell_runs(text: str, expected: list[str]) -> None:
    """Each that may print something; where that cannot be told, the shell itself."""
    assert list_commands(text) == expected

"""What a user asks to run, and how it is found."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from reproof.errors import LaunchError, UsageError
from reproof.launch.command import (
    describe_command,
    find_script,
    interpreter_of,
    is_of_this_environment,
    name_command,
    own_arguments,
    refuse_missing,
    settle_command,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder on PATH with console scripts: of this environment, of another, of a shell, with a long path."""
    other = tmp_path / "other" / "bin"
    other.mkdir(parents=True)
    (tmp_path / "other" / "pyvenv.cfg").touch()
    (other / "python").symlink_to(sys.executable)
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, first in (
        ("train", f"#!{sys.executable}"),
        ("train-env", "#!/usr/bin/env python3"),
        ("train-long", f"#!/bin/sh\n'''exec' {sys.executable} \"$0\" \"$@\"\n' '''"),
        ("elsewhere", f"#!{other / 'python'}"),
        ("job", "#!/bin/sh"),
    ):
        (folder / name).write_text(f"{first}\n", encoding="utf-8")
        (folder / name).chmod(0o755)
    (folder / "python3").symlink_to(sys.executable)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").touch()
    return folder


@pytest.mark.usefixtures("programs")
@pytest.mark.parametrize(
    ("given", "settled"),
    [
        ("train.py --lr 1", "train.py --lr 1"),
        ("-m pkg", "-m pkg"),
        ("-- train.py", "train.py"),
        ("-- -m pkg", "-m pkg"),
        (f"-- {sys.executable} -m pkg a", "-m pkg a"),
        (f"-- {sys.executable} train.py a", "train.py a"),
        (f"-- {sys.executable} -u train.py", f"-- {sys.executable} -u train.py"),
        ("-- train --x", "-- train --x"),
        ("-- train-long", "-- train-long"),
        ("-- bin/train --x", "bin/train --x"),
        ("-- job", "-- job"),
    ],
)
def test_the_simplest_form(given: str, settled: str) -> None:
    """A program that is this interpreter is left out, and what is a script stays one."""
    assert settle_command(tuple(given.split())) == tuple(settled.split())


@pytest.mark.usefixtures("programs")
def test_what_cannot_be_run_is_refused() -> None:
    """No such program, Python of another environment, nothing at all."""
    with pytest.raises(LaunchError, match="no program trian"):
        settle_command(("--", "trian"))
    with pytest.raises(LaunchError, match=r"elsewhere runs in .*/other/bin, and reproof in "):
        settle_command(("--", "elsewhere"))
    with pytest.raises(UsageError, match="-- without a program"):
        settle_command(("--",))
    with pytest.raises(LaunchError, match=r"no script eval\.py"):
        refuse_missing(("eval.py",))


def test_the_interpreter_of_a_script(programs: Path) -> None:
    """It is named in the first line, by `env`, or in the second line where its path is too long."""
    found = {name: interpreter_of(str(programs / name)) for name in ("train", "train-env", "train-long", "job", "none")}
    assert found == {
        "train": sys.executable,
        "train-env": str(programs / "python3"),
        "train-long": sys.executable,
        "job": None,
        "none": None,
    }


def test_an_environment_is_known_by_its_folder(programs: Path) -> None:
    """Links lead the interpreters of several environments to one file."""
    assert is_of_this_environment(sys.executable)
    assert not is_of_this_environment(str(programs.parent / "other" / "bin" / "python"))


@pytest.mark.parametrize(
    ("command", "plain", "name", "script", "arguments"),
    [
        ("train.py a", "python train.py a", "train", "train.py", "a"),
        ("-m pkg.train a", "python -m pkg.train a", "train", None, "a"),
        ("-- torchrun -n 2 train.py", "torchrun -n 2 train.py", "torchrun", "train.py", "-n 2 train.py"),
        ("-- mytrain a", "mytrain a", "mytrain", None, "a"),
    ],
)
def test_what_a_command_is_called(command: str, plain: str, name: str, script: str | None, arguments: str) -> None:
    """By its user without us, in the names of folders, and in advice."""
    words = tuple(command.split())
    assert (describe_command(words), name_command(words), find_script(words)) == (plain, name, script)
    assert own_arguments(words) == tuple(arguments.split())

"""What a user asks to run: a script, a module or, after ``--``, any program as a shell would find it.

A command is what follows ``reproof run``. A program that is a Python script of this environment (``torchrun``,
``accelerate``, every console script) is run like the user's own; any other is started, and Python programs that it
starts record themselves. Left out: running it (`reproof.launch.script`).
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reproof.errors import LaunchError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

PROGRAM: Final = "--"
"""What stands before a program, as ``-m`` before a module."""

MODULE: Final = "-m"
NOTEBOOK: Final = ".ipynb"

TRAMPOLINE: Final = re.compile(rb"'''exec' \"?([^\"\n]+?)\"? \"\$0\" \"\$@\"")
"""Second line of a script whose interpreter has a path that is too long for the first one (pip writes it so)."""


def settle_command(command: tuple[str, ...]) -> tuple[str, ...]:
    """Return the simplest form of a command: ``-- python train.py`` and ``-- python -m pkg`` are script and module.

    Raises LaunchError if a program is not found, or is Python of another environment, in which nothing is recorded;
    UsageError if nothing is named.
    """
    if command[:1] != (PROGRAM,):
        return command
    words = command[1:]
    if not words:
        raise UsageError("-- without a program", "name the program to run")
    if words[0] == MODULE:
        return words
    path = shutil.which(words[0])
    if path is None:
        if Path(words[0]).is_file():
            return words
        raise LaunchError(f"no program {words[0]}", "check its name: it must be on PATH, or a path")
    python = path if is_python(path) else interpreter_of(path)
    if python is not None and not is_of_this_environment(python):
        told = f"{words[0]} runs in {Path(python).parent}, and reproof in {Path(sys.executable).parent}"
        raise LaunchError(told, "install reproof beside it, and start that one")
    if python == path:
        is_plain = words[1:2] == (MODULE,) or not words[1:2] or not words[1].startswith("-")
        return words[1:] if is_plain and words[1:] else command
    return words if python is not None and os.sep in words[0] else command


def refuse_missing(command: tuple[str, ...]) -> None:
    """Refuse a script that is not there before anything is started.

    Raises LaunchError if it is missing and UsageError if none is named.
    """
    if command[0] == MODULE:
        if len(command) == 1:
            raise UsageError("-m without a module", "name the module to run")
    elif command[0] == PROGRAM:
        settle_command(command)
    elif Path(command[0]).is_dir():
        raise LaunchError(f"{command[0]} is a folder", "name the script in it")
    elif not Path(command[0]).is_file():
        raise LaunchError(f"no script {command[0]}", "check the path; options of reproof go before the script")


def spell_plain(command: Sequence[str]) -> list[str]:
    """Return the words by which the user would start it without reproof."""
    if command[0] == PROGRAM:
        return list(command[1:])
    is_notebook = command[0].endswith(NOTEBOOK)
    return [*(("jupyter", "execute") if is_notebook else ("python",)), *command]


def describe_command(command: Sequence[str]) -> str:
    """Return a command as one line of a shell, without reproof."""
    return shlex.join(spell_plain(command))


def name_command(command: Sequence[str]) -> str:
    """Return a short name of what is run, for folders."""
    if command[0] == MODULE and len(command) > 1:
        return command[1].rpartition(".")[2]
    words = command[1:] if command[0] == PROGRAM and len(command) > 1 else command
    return Path(words[0]).stem or "run"


def find_script(command: Sequence[str]) -> str | None:
    """Return the script that a command names, if it names one: ``train.py`` of ``torchrun train.py``, too."""
    if command[0] not in {MODULE, PROGRAM}:
        return command[0]
    return next((word for word in command[1:] if word.endswith(".py")), None) if command[0] == PROGRAM else None


def own_arguments(command: Sequence[str]) -> tuple[str, ...]:
    """Return what comes after the script, the module or the program."""
    return tuple(command[2:] if command[0] in {MODULE, PROGRAM} else command[1:])


def interpreter_of(path: str) -> str | None:
    """Return the Python that a script names in its first lines; None if it is no script, or of another language."""
    try:
        with Path(path).open("rb") as file:
            first, second = file.readline(512), file.readline(1024)
    except OSError:
        return None
    if not first.startswith(b"#!"):
        return None
    words = os.fsdecode(first[2:]).split()
    if words and Path(words[0]).name == "env":
        named = next((word for word in words[1:] if not word.startswith("-") and "=" not in word), "")
        words = [shutil.which(named) or named]
    elif words and Path(words[0]).name == "sh" and (match := TRAMPOLINE.match(second)):
        words = [os.fsdecode(match[1])]
    return words[0] if words and is_python(words[0]) else None


def is_python(path: str) -> bool:
    """Whether a path names an interpreter of Python."""
    return re.fullmatch(r"python[0-9.]*", Path(path).name) is not None


def is_of_this_environment(python: str) -> bool:
    """Whether an interpreter finds the packages that this one finds: links lead several environments to one file."""
    folder = Path(os.path.abspath(python)).parent.parent  # noqa: PTH100  # Path has nothing that keeps links
    if (folder / "pyvenv.cfg").is_file():
        return folder.resolve() == Path(sys.prefix).resolve()
    is_same = os.path.realpath(python) == os.path.realpath(sys.executable)
    return is_same and sys.prefix == sys.base_prefix

"""Have the Python programs tapped that a process starts: by `subprocess`, `os.system` and `os.posix_spawn`.

A program is told by a variable of its environment what it is to do, and by PYTHONPATH where to find that
(`startup/sitecustomize.py`), which takes both away before anything of the user's runs. The environment of this process
stays as it is. A program that is surely our interpreter has an empty folder in the trace until it has begun: one that
never does (``python -I`` ignores variables) is seen to be missing.

Effects that can be seen: programs in other languages that a shell or launcher starts find the variables, and a Python
of another installation starts with the folder on its PYTHONPATH, and takes it off.

Left out: `os.exec*`, which goes on in the same process, and programs that remove variables from what they start.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from reproof.entropy.replacing import replace_function

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

VARIABLE: Final = "REPROOF_CHILD"
PATH: Final = "PYTHONPATH"
STARTUP: Final = str(Path(__file__).parent / "startup")

MAX_CHARACTERS: Final = 100_000
"""Linux allows 128 KiB for one variable."""

LAUNCHERS: Final = {
    *("sh", "bash", "dash", "ash", "zsh", "ksh", "env", "nohup", "nice", "time", "timeout", "taskset", "numactl"),
    *("stdbuf", "setsid", "xargs", "make", "mpirun", "mpiexec", "srun"),
}
"""Names of programs that start others, which may be Python; `reproof run` adds the one that it is to run."""

FILTERS: Final = frozenset({"cut", "grep", "head", "sort", "tail", "tr", "uniq"})
"""Programs that choose from what another prints."""

ASKING: Final = frozenset({"-V", "-VV", "--version", "-h", "--help", "-?"})
"""Options with which Python only prints something."""

ENVIRONMENT: Final = 5
STDOUT: Final = 9
"""Positions of the environment and of what standard output is to be, or -1, among the arguments of
`_posixsubprocess.fork_exec` (Python 3.10 to 3.14)."""


class Program(NamedTuple):
    """What a program that is about to be started is told.

    Attributes:
        text: The Python program that it executes first.
        folder: Folder of the traces of processes.
    """

    label: str
    text: str
    folder: str


def follow_programs(describe: Callable[[bool], Program], tell: Callable[[str], None]) -> None:
    """Have the Python programs tapped that this process starts.

    `describe` returns what a program is told that is about to be started, given whether it is surely our interpreter;
    `tell` is called with the name of any other that prints where this process does. Effects: replaces `fork_exec` of
    `subprocess`, `os.posix_spawn`, `os.posix_spawnp` and `os.system`.
    """
    follow_subprocess(describe, tell)
    for name in ("posix_spawn", "posix_spawnp"):
        if hasattr(os, name):
            follow_spawn(name, describe)
    follow_system(describe, tell)


def follow_subprocess(describe: Callable[[bool], Program], tell: Callable[[str], None]) -> None:
    """Follow what `subprocess` starts; `multiprocessing` calls the same function and follows by itself."""
    try:
        import _posixsubprocess
    except ImportError:  # not on this system
        return
    fork_exec = _posixsubprocess.fork_exec

    def fork_exec_followed(*args: Any) -> Any:
        caller = sys._getframe(1).f_globals.get("__name__")  # noqa: SLF001  # the documented way to the stack
        if caller == subprocess.__name__ and len(args) > ENVIRONMENT:
            given = args[ENVIRONMENT]
            environment = dict(os.environb) if given is None else dict(entry.split(b"=", 1) for entry in given)
            added = prepare(args[1], args[0], environment.get(os.fsencode(PATH)), describe)
            if len(args) > STDOUT and args[STDOUT] == -1:
                tell_other(args[1], args[0], tell)
            if added is not None:
                environment.update({os.fsencode(name): os.fsencode(value) for name, value in added.items()})
                listed = [name + b"=" + value for name, value in environment.items()]
                args = (*args[:ENVIRONMENT], listed, *args[ENVIRONMENT + 1 :])
        return fork_exec(*args)

    replace_function(_posixsubprocess, "fork_exec", fork_exec_followed)
    if hasattr(subprocess, "_fork_exec"):  # since Python 3.11
        subprocess._fork_exec = _posixsubprocess.fork_exec  # noqa: SLF001  # the name by which `Popen` calls it


def follow_spawn(name: str, describe: Callable[[bool], Program]) -> None:
    """Follow what a function of `os` spawns."""
    spawn = getattr(os, name)

    def spawn_followed(path: Any, argv: Any, env: Any, /, **kwargs: Any) -> Any:
        known = {os.fsencode(key): os.fsencode(value) for key, value in env.items()} if env is not None else {}
        added = prepare([path], argv, known.get(os.fsencode(PATH)), describe) if env is not None else None
        return spawn(path, argv, env if added is None else {**env, **added}, **kwargs)

    replace_function(os, name, spawn_followed)


def follow_system(describe: Callable[[bool], Program], tell: Callable[[str], None]) -> None:
    """Follow what `os.system` starts: it passes on what the C library has, which `os.environ` need not know."""
    system = os.system

    def system_followed(command: Any) -> int:
        before = os.environ.get(PATH)
        tell_other(["/bin/sh"], ["sh", "-c", command], tell)
        added = prepare(["/bin/sh"], ["sh"], None if before is None else os.fsencode(before), describe)
        if added is None:
            return system(command)
        for name, value in added.items():
            os.putenv(name, value)
        try:
            return system(command)
        finally:
            os.unsetenv(VARIABLE)
            os.unsetenv(PATH) if before is None else os.putenv(PATH, before)

    replace_function(os, "system", system_followed)


def tell_other(executables: Sequence[Any], arguments: Sequence[Any], tell: Callable[[str], None]) -> None:
    """Tell the name of a program, unless it is surely our interpreter; of a shell, those that it is to run."""
    with contextlib.suppress(Exception):  # whatever the arguments are; nothing of ours may reach the program
        words = [os.fsdecode(argument) for argument in arguments]
        if not judge(executables, words):
            for name in list_commands(words[2]) if words[1:2] == ["-c"] else words[:1]:
                tell(os.path.basename(name))  # noqa: PTH119  # as text


def list_commands(text: str) -> list[str]:
    """Return the programs that a shell runs for a text; the shell itself is among them if they cannot all be told.

    What another hands its output to, as in ``free | head -2``, is none of them if it only chooses from it.
    """
    found = ["sh"] if re.search(r"[$`(){}\\]", text) else []
    for pipeline in re.split(r"&&|\|\||[;&\n]", text):
        names = [(command.split() or [""])[0] for command in pipeline.split("|")]
        found += [name for position, name in enumerate(names) if name and not (position and name in FILTERS)]
    return found


def prepare(
    executables: Sequence[Any], arguments: Sequence[Any], python_path: bytes | None, describe: Callable[[bool], Program]
) -> dict[str, str] | None:
    """Return the variables that a program is to have, or None if it starts no Python.

    `executables` says where its file may be, in order; the first of `arguments` is its name, `python_path` the
    PYTHONPATH that it would have. Effects: creates a folder for its trace if it is surely our interpreter.
    """
    try:
        is_direct = judge(executables, [os.fsdecode(argument) for argument in arguments])
        if is_direct is None:
            return None
        program = describe(is_direct)
        if is_direct:
            with contextlib.suppress(OSError):
                Path(program.folder, program.label).mkdir(parents=True)
        path = None if python_path is None else os.fsdecode(python_path)
        text = json.dumps(
            {
                "interpreter": [sys.prefix, sys.version],
                "python_path": path,
                "is_direct": is_direct,
                "label": program.label,
                "shell": program.label.rpartition(".")[0],
                "program": program.text,
                "folder": program.folder,
            }
        )
    except Exception:  # noqa: BLE001  # whatever the arguments are; nothing of ours may reach the program
        return None
    if len(text) > MAX_CHARACTERS:
        return None
    return {VARIABLE: text, PATH: os.pathsep.join([STARTUP, *([path] if path else [])])}


def judge(executables: Sequence[Any], arguments: Sequence[str]) -> bool | None:
    """Return True for a program that is surely our interpreter, False for one that may start it, None for others."""
    path = next((text for text in map(os.fsdecode, executables) if os.path.isfile(text)), None)  # noqa: PTH113  # as text
    if path is None:
        return None
    if is_ours(path):
        return None if set(arguments[1:2]) & ASKING else True
    if os.path.basename(path) in LAUNCHERS:  # noqa: PTH119  # as text
        return False
    with contextlib.suppress(OSError), open(path, "rb") as file:  # noqa: PTH123  # as text
        first = file.readline(512)
        if first.startswith(b"#!"):
            words = os.fsdecode(first[2:]).split()
            return bool(words) and is_ours(words[0])
    return None


def is_ours(path: str) -> bool:
    """Whether a file is the interpreter that runs this process."""
    return os.path.realpath(path) == os.path.realpath(sys.executable)

"""What a Python program executes first that a recorded process has started; see `reproof.entropy.programs`.

Python imports a module of this name when it starts, here because the folder was put first on PYTHONPATH. That is undone
before anything else, and a `sitecustomize` of the user's is run as it would have been.
"""

from __future__ import annotations

import contextlib
import importlib.machinery
import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any

VARIABLE = "REPROOF_CHILD"


def leave_no_trace(given: dict[str, Any]) -> None:
    """Take our folder off the import path, and give variables and the user's module back."""
    here = str(Path(__file__).parent)
    if here in sys.path:
        sys.path.remove(here)
    if given["python_path"] is None:
        os.environ.pop("PYTHONPATH", None)
    else:
        os.environ["PYTHONPATH"] = given["python_path"]
    own = sys.modules[__name__]
    spec = importlib.machinery.PathFinder.find_spec(__name__, sys.path)
    if spec is None or spec.loader is None:
        return
    module = sys.modules[__name__] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules[__name__] = own
        raise


def claim(folder: str, label: str) -> str:
    """Return a label of its own for one of several programs that a shell has started."""
    number = 1
    while True:
        with contextlib.suppress(FileExistsError):
            Path(folder, f"{label}.run{number}").mkdir(parents=True)
            return f"{label}.run{number}"
        number += 1


def enter(given: dict[str, Any]) -> None:
    """Have this process tapped and recorded, if it is the interpreter that was started."""
    if given["interpreter"] != [sys.prefix, sys.version]:
        return
    if given["is_direct"]:
        with contextlib.suppress(OSError):
            Path(given["folder"], given["label"]).rmdir()
        program = given["program"]
    else:
        program = given["program"].replace(given["label"], claim(given["folder"], given["shell"]))
    exec(program, {"__name__": __name__})  # noqa: S102  # our own, as for a process that `multiprocessing` spawns


def begin() -> None:
    """Do what there is to do."""
    text = os.environ.pop(VARIABLE, None)
    if text is None:
        return
    given = json.loads(text)
    try:
        leave_no_trace(given)
    finally:
        enter(given)


begin()

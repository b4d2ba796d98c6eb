"""Find the training that a bundle names, in the user's own project.

A bundle is data and names a function; the code is the project's. A file of the project is imported only if its syntax
shows that it defines such a function at its top. Importing it runs the top level of that file, as any import does: it
is the user's own code, and the user can name another training with --entry.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reproof.bundle.manifest import check_entry
from reproof.errors import LaunchError

if TYPE_CHECKING:
    from collections.abc import Callable

_REMEDY: Final = "start reproof in the project's folder, or name it with --project and the training with --entry"
NUM_ARGUMENTS: Final = 2


def find_entry(project: Path, entry: str | None) -> Path:
    """Return the file of a training after a look at its syntax; nothing is imported.

    Raises LaunchError if there is no such file in the project, or no such function of two arguments in it.
    """
    if entry is None:
        raise LaunchError("the bundle names no training", "name it with --entry path/to/file.py:function")
    try:
        path_name, _, name = check_entry(entry).partition(":")
    except ValueError as error:
        raise LaunchError(str(error), _REMEDY) from None
    path = project / path_name
    if not path.is_file() or not path.resolve().is_relative_to(project.resolve()):
        raise LaunchError(f"the project {project} has no {path_name}", _REMEDY)
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, RecursionError) as error:
        raise LaunchError(f"{path_name} is no Python file ({error})", _REMEDY) from None
    found = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name]
    if not found or len(found[-1].args.posonlyargs + found[-1].args.args) != NUM_ARGUMENTS:
        raise LaunchError(f"{path_name} defines no {name}(config, run) at its top", _REMEDY)
    return path


def load_entry(project: Path, entry: str) -> Callable[[dict[str, Any], Any], Any]:
    """Import the training.

    Raises LaunchError if it cannot be found and whatever its file raises when it is imported. Effects: puts its folder
    and the project first on `sys.path`, as Python does for a script.
    """
    path = find_entry(project, entry).resolve()
    name = module_name(path, project.resolve())
    for folder in (project.resolve(), path.parent):
        sys.path.insert(0, str(folder))
    module = importlib.import_module(name)
    if Path(getattr(module, "__file__", None) or "").resolve() != path:
        module = _load_file(name, path)  # another module of this name was imported before
    function: Callable[[dict[str, Any], Any], Any] = getattr(module, entry.partition(":")[2])
    return function


def module_name(path: Path, project: Path) -> str:
    """Return the name under which a file is imported: with its packages, if it lies in some."""
    names = [path.stem]
    folder = path.parent
    while folder != project and (folder / "__init__.py").is_file():
        names.insert(0, folder.name)
        folder = folder.parent
    return ".".join(names)


def _load_file(name: str, path: Path) -> Any:
    alias = f"reproof_entry_{name.replace('.', '_')}"
    spec = importlib.util.spec_from_file_location(alias, path)
    if spec is None or spec.loader is None:
        raise LaunchError(f"cannot import {path}", _REMEDY)
    module = importlib.util.module_from_spec(spec)
    sys.modules[alias] = module  # as import does, so that what it defines can be pickled for workers
    spec.loader.exec_module(module)
    return module

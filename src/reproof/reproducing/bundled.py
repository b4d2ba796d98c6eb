"""The project as a bundle holds it, if its code was kept: written out, so that a stranger can train from it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from reproof.errors import LaunchError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reproof.bundle.records import Bundle


def write_project(bundle: Bundle, folder: Path) -> Path:
    """Write the modules that a bundle holds into a folder, and return it.

    Raises LaunchError if the bundle holds no code, or not all that the training reaches. Effects: creates the folder.
    Nothing of it is run.
    """
    files = bundle.code.get("files", {})
    texts = {name: item["text"] for name, item in files.items() if "text" in item}
    if not texts:
        raise LaunchError(
            "the bundle holds no code to train from",
            "name the project with --project; a bundle holds its code if it was made with keep_code=True",
        )
    withheld = [f"{name} ({item.get('withheld', 'not kept')})" for name, item in files.items() if "text" not in item]
    if withheld:
        problem = f"the bundle does not hold all of its code: {', '.join(withheld[:3])}"
        raise LaunchError(problem, "name the project with --project")
    for name, text in texts.items():
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode("utf-8"))
        except OSError as error:
            raise LaunchError(f"cannot write {path}: {error.strerror}", "name the project with --project") from None
    return folder


def find_roots(bundle: Bundle, project: Path) -> list[Path]:
    """Return the folders from which the modules of a bundle were imported, as `src` is of ``src/net/model.py``."""
    roots = set()
    for name, item in bundle.code.get("files", {}).items():
        parts = tuple(str(item.get("module", "")).split("."))
        path = Path(name)
        inside = path.parent.parts if path.name == "__init__.py" else (*path.parent.parts, path.stem)
        if parts == inside[len(inside) - len(parts) :]:
            roots.add(project.joinpath(*inside[: len(inside) - len(parts)]))
    return sorted(roots)


def join_path(folders: Sequence[Path]) -> str:
    """Return a value of PYTHONPATH with these folders first."""
    return os.pathsep.join([*map(str, folders), *filter(None, [os.environ.get("PYTHONPATH")])])

"""The code that ran: the project's own modules by their content, and the state of git around them.

A digest of the syntax tree stands beside that of the bytes, so that other comments or other spacing can be told from
other code. Installed packages have a version, which is in the environment.
"""

from __future__ import annotations

import ast
import hashlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reproof.environment.git import DIFF, finish_git, start_git

if TYPE_CHECKING:
    from collections.abc import Iterator

GIT_TIMEOUT_SECONDS: Final = 5.0
MAX_DIFF_BYTES: Final = 256 << 10
MAX_SOURCE_BYTES: Final = 16 << 20

_OUTSIDE: Final = frozenset({"site-packages", "dist-packages", "__pycache__"})
_LEFT_OUT: Final = frozenset({"ctx", "kind", "type_comment"})


def describe_code(project: Path, entry: str | None = None) -> dict[str, Any]:
    """Return the digests of the project's modules that this process has imported, and of the entry's file.

    Effects: starts git, where the project lies in a checkout, and waits at most 5 seconds for it.
    """
    paths = set(_imported_files(project))
    if entry is not None:
        paths.add(project / entry.partition(":")[0])
    files = {
        path.relative_to(project).as_posix(): found
        for path in sorted(paths)
        if (found := describe_source(path)) is not None
    }
    return {"entry": entry, "files": files, "git": _describe_git(project)}


def describe_source(path: Path) -> dict[str, str] | None:
    """Return the digests of a source file, or None if it cannot be read."""
    try:
        if path.stat().st_size > MAX_SOURCE_BYTES:
            return None
        content = path.read_bytes()
    except OSError:
        return None
    return {"sha256": hashlib.sha256(content).hexdigest(), "syntax": digest_syntax(content)}


def digest_syntax(content: bytes) -> str:
    """Return a digest of what a source file does: comments, spacing and docstrings do not count.

    For a file that is not Python it is the digest of its bytes.
    """
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return hashlib.sha256(content).hexdigest()
    digest = hashlib.sha256()
    for part in _spell(tree):
        digest.update(part.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _spell(node: object) -> Iterator[str]:
    """Yield a syntax tree as text that does not depend on the version of Python where the code does not."""
    pending: list[object] = [node]
    while pending:
        item = pending.pop()
        if isinstance(item, ast.AST):
            yield f"({type(item).__name__}"
            pending.append(")")
            fields = [(name, value) for name, value in ast.iter_fields(item) if name not in _LEFT_OUT]
            for name, value in reversed(fields):
                kept = _without_docstring(value) if name == "body" and isinstance(value, list) else value
                if kept is not None and kept != []:
                    pending += [kept, f" {name}="]
        elif isinstance(item, list):
            yield "["
            pending += ["]", *reversed(item)]
        elif item in {")", "]"} or (isinstance(item, str) and item.endswith("=") and item.startswith(" ")):
            yield str(item)
        else:
            yield f"{type(item).__name__}:{item!r};"


def _without_docstring(body: list[Any]) -> list[Any]:
    match body:
        case [ast.Expr(value=ast.Constant(value=str())), *rest]:
            return rest
        case _:
            return body


def _imported_files(project: Path) -> Iterator[Path]:
    own = Path(__file__).resolve().parents[1]
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if not isinstance(file, str) or not file.endswith(".py"):
            continue
        path = Path(os.path.abspath(file))  # noqa: PTH100  # a link to a module is called as the project calls it
        if path.is_relative_to(project) and not path.is_relative_to(own) and path.is_file():
            inside = path.relative_to(project)
            if not _OUTSIDE & set(inside.parts) and not any(part.startswith(".") for part in inside.parts):
                yield path


def _describe_git(project: Path) -> dict[str, Any] | None:
    commit = _ask_git(project, "rev-parse", "HEAD")
    if commit is None:
        return None
    diff = _ask_git(project, *DIFF)
    if diff is None:
        return {"commit": commit.decode("ascii", "replace").strip(), "diff": None, "diff_sha256": None}
    text = diff.decode("utf-8", "replace") if len(diff) <= MAX_DIFF_BYTES else None  # of a larger diff only the digest
    return {
        "commit": commit.decode("ascii", "replace").strip(),
        "diff": text,
        "diff_sha256": hashlib.sha256(diff).hexdigest(),
    }


def _ask_git(project: Path, *arguments: str) -> bytes | None:
    return finish_git(start_git(project, arguments), GIT_TIMEOUT_SECONDS)


def compare_code(original: dict[str, Any], here: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Return which files that ran here have other code than in the bundle, and which differ only in their text."""
    known: dict[str, dict[str, str]] = original.get("files", {})
    changed, reworded = [], []
    for name, entry in here.get("files", {}).items():
        if name not in known:
            changed.append(f"{name} is not in the bundle")
        elif known[name]["syntax"] != entry["syntax"]:
            changed.append(name)
        elif known[name]["sha256"] != entry["sha256"]:
            reworded.append(name)
    return changed, reworded

"""Read a script, or every script of a folder: what is wrong in it, and what it sets."""

from __future__ import annotations

import ast
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reproof.doctor.facts import Fact, read_facts
from reproof.doctor.program import Program
from reproof.doctor.records import Finding, NotRead
from reproof.doctor.rules import Rules
from reproof.doctor.sources import read_script
from reproof.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_SCRIPTS: Final = 200
"""Scripts of one folder that are read; more are an error, since nobody would read the answer."""

_SKIPPED_FOLDERS: Final = frozenset({"__pycache__", "build", "dist", "node_modules", "site-packages", "tests", "test"})
_SKIPPED_FILES: Final = frozenset({"setup.py", "conftest.py", "noxfile.py", "__init__.py"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptReading:
    """What was read from scripts.

    Attributes:
        findings: What is wrong.
        files: The files that were read.
        not_read: The files that belong to them and could not be read.
        facts: What the script sets; None if there is more than one script.
    """

    findings: tuple[Finding, ...]
    files: tuple[str, ...]
    not_read: tuple[NotRead, ...]
    facts: dict[str, Fact] | None


def read_target(target: Path) -> ScriptReading:
    """Read a script, or all scripts of a folder, each with the modules that it imports.

    A folder with a ``__main__.py`` stands for that, as it does for Python.

    Raises:
        UsageError: There is no such file, it cannot be read, or a folder has no script.
    """
    if (target / "__main__.py").is_file():
        target /= "__main__.py"
    if not target.is_dir():
        return _read_script(target)
    scripts = find_scripts(target)
    if not scripts:
        raise UsageError(f"the folder {target} has no Python script", "name a script, or a folder with one")
    if len(scripts) > MAX_SCRIPTS:
        raise UsageError(f"the folder {target} has {len(scripts)} scripts", f"name one of at most {MAX_SCRIPTS}")
    return _join([_read_script_or_say_why(script) for script in scripts])


def find_scripts(folder: Path) -> tuple[Path, ...]:
    """Return the files of a folder that are run rather than imported: with a main guard, or imported by none.

    Tests, packaging and virtual environments are left out, as is what lies in hidden folders.
    """
    files = sorted(_python_files(folder))
    trees = {path: _parse_or_none(path) for path in files}
    imported = {name for tree in trees.values() if tree is not None for name in _imported_names(tree)}
    return tuple(path for path, tree in trees.items() if tree is None or _is_script(path, tree, imported))


def _read_script(path: Path) -> ScriptReading:
    try:
        rules = Rules(Program(path))
        findings = rules.find_all()
        facts = read_facts(rules, findings)
    except RecursionError:
        raise UsageError(f"{path} is nested too deeply to be read", "name another script") from None
    sources = rules.program.sources
    return ScriptReading(
        findings=findings,
        files=tuple(source.shown for source in sources.files),
        not_read=tuple(sources.not_read),
        facts=facts,
    )


def _read_script_or_say_why(path: Path) -> ScriptReading:
    """Read one of several scripts: one that cannot be read does not keep the others from it."""
    try:
        return _read_script(path)
    except UsageError as error:
        not_read = NotRead(file=str(path), why=error.problem.removeprefix(f"{path} cannot be read: "))
        return ScriptReading(findings=(), files=(), not_read=(not_read,), facts=None)


def _join(readings: list[ScriptReading]) -> ScriptReading:
    """Return several readings as one; modules that scripts share are reported once."""
    return ScriptReading(
        findings=_unique((item.kind, item.file, item.line, item) for reading in readings for item in reading.findings),
        files=tuple(dict.fromkeys(file for reading in readings for file in reading.files)),
        not_read=tuple(dict.fromkeys(item for reading in readings for item in reading.not_read)),
        facts=readings[0].facts if len(readings) == 1 else None,
    )


def _unique(items: Iterable[tuple[str, str, int, Finding]]) -> tuple[Finding, ...]:
    found: dict[tuple[str, str, int], Finding] = {}
    for kind, file, line, finding in items:
        found.setdefault((kind, file, line), finding)
    return tuple(found.values())


def _python_files(folder: Path) -> Iterator[Path]:
    for current, folders, files in os.walk(folder):
        folders[:] = [
            name
            for name in folders
            if name not in _SKIPPED_FOLDERS
            and not name.startswith(".")
            and not (Path(current) / name / "pyvenv.cfg").exists()
        ]
        for name in files:
            is_test = name.startswith("test_") or name.endswith("_test.py")
            if name.endswith(".py") and name not in _SKIPPED_FILES and not is_test:
                yield Path(current) / name


def _parse_or_none(path: Path) -> ast.Module | None:
    try:
        return read_script(path).tree
    except UsageError:
        return None


def _is_script(path: Path, tree: ast.Module, imported: set[str]) -> bool:
    has_guard = any(isinstance(item, ast.If) and "__name__" in ast.dump(item.test) for item in tree.body)
    return has_guard or path.stem not in imported


def _imported_names(tree: ast.Module) -> Iterator[str]:
    """Yield the last parts of all modules that a file imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.rpartition(".")[2] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").rpartition(".")[2]
            yield from (alias.name for alias in node.names)

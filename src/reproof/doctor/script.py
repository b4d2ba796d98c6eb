"""Read a script, or every script of a folder: what is wrong in it, and what it sees to."""

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
    from collections.abc import Iterator

MAX_SCRIPTS: Final = 200
_SKIPPED_FOLDERS: Final = frozenset({"__pycache__", "build", "dist", "node_modules", "site-packages", "tests", "test"})
_SKIPPED_FILES: Final = frozenset({"setup.py", "conftest.py", "noxfile.py", "__init__.py"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptReading:
    """What was read from scripts; `facts` are None if there is more than one."""

    findings: tuple[Finding, ...] = ()
    files: tuple[str, ...] = ()
    not_read: tuple[NotRead, ...] = ()
    facts: dict[str, Fact] | None = None


def read_target(target: Path) -> ScriptReading:
    """Read a script, or all scripts of a folder, each with the modules that it imports.

    Raises:
        UsageError: There is no such file, it cannot be read, or a folder has no script or too many.
    """
    if (target / "__main__.py").is_file():
        target /= "__main__.py"
    if not target.is_dir():
        return _read_script(target)
    scripts = find_scripts(target)
    if not 0 < len(scripts) <= MAX_SCRIPTS:
        count = len(scripts) or "no"
        raise UsageError(f"the folder {target} has {count} Python scripts", f"name a folder with 1 to {MAX_SCRIPTS}")
    readings = [_read_one_of_many(script) for script in scripts]
    places = {(item.kind, item.file, item.line): item for reading in readings for item in reading.findings}
    return ScriptReading(
        findings=tuple(places.values()),
        files=tuple(dict.fromkeys(file for reading in readings for file in reading.files)),
        not_read=tuple(dict.fromkeys(item for reading in readings for item in reading.not_read)),
        facts=readings[0].facts if len(readings) == 1 else None,
    )


def find_scripts(folder: Path) -> tuple[Path, ...]:
    """Return the files of a folder that are run rather than imported: with a main guard, or imported by none.

    Tests, packaging and virtual environments are left out, as is what lies in hidden folders.
    """
    trees: dict[Path, ast.Module | None] = {}
    for path in sorted(_python_files(folder)):
        try:
            trees[path] = read_script(path).tree
        except UsageError:
            trees[path] = None  # it is named with the reason when it is read as a script
    nodes = [node for tree in trees.values() if tree is not None for node in ast.walk(tree)]
    imports = [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {alias.name.rpartition(".")[2] for node in imports for alias in node.names}
    names |= {(node.module or "").rpartition(".")[2] for node in imports if isinstance(node, ast.ImportFrom)}
    return tuple(path for path, tree in trees.items() if path.stem not in names or tree is None or _has_guard(tree))


def _has_guard(tree: ast.Module) -> bool:
    return any(isinstance(item, ast.If) and "__name__" in ast.dump(item.test) for item in tree.body)


def _read_script(path: Path) -> ScriptReading:
    try:
        rules = Rules(Program(path))
        findings = rules.find_all()
        facts = read_facts(rules, findings)
    except RecursionError:
        raise UsageError(f"{path} is nested too deeply to be read", "name another script") from None
    sources = rules.program.sources
    files = tuple(source.shown for source in sources.files)
    return ScriptReading(findings=findings, files=files, not_read=tuple(sources.not_read), facts=facts)


def _read_one_of_many(path: Path) -> ScriptReading:
    """Read one of several scripts: one that cannot be read does not keep the others from it."""
    try:
        return _read_script(path)
    except UsageError as error:
        why = error.problem.removeprefix(f"{path} cannot be read: ")
        return ScriptReading(not_read=(NotRead(file=str(path), why=why),))


def _python_files(folder: Path) -> Iterator[Path]:
    for current, folders, files in os.walk(folder):
        folders[:] = [
            name
            for name in folders
            if name[0] != "." and name not in _SKIPPED_FOLDERS and not Path(current, name, "pyvenv.cfg").exists()
        ]
        for name in files:
            is_test = name.startswith("test_") or name.endswith("_test.py")
            if name.endswith(".py") and name not in _SKIPPED_FILES and not is_test:
                yield Path(current, name)

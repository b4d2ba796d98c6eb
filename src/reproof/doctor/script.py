"""Read a script, or every script of a folder: what is wrong in it, and what it sees to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from reproof.doctor.facts import Fact, read_facts
from reproof.doctor.program import Program
from reproof.doctor.records import Diagnosis, NotRead
from reproof.doctor.rules import Rules
from reproof.errors import UsageError
from reproof.launch.cells import describe_disorder, read_cells
from reproof.launch.command import NOTEBOOK

if TYPE_CHECKING:
    from pathlib import Path

_SKIPPED: Final = re.compile(
    r"\..*|__pycache__|build|dist|site-packages|tests?|(setup|conftest)\.py|test_.*|__init__.*"
)
_IMPORTED: Final = re.compile(rb"^\s*(?:from|import)\s+[\w.]*?(\w+)(?:\s+import\s+(\w+))?", re.MULTILINE)


def read_target(target: Path) -> tuple[Diagnosis, dict[str, Fact] | None]:
    """Read a script, or all scripts of a folder, each with the modules that it imports.

    Returns a diagnosis without conditions, and what the script sees to: None if there is not exactly one. Raises
    UsageError if there is no such file, it cannot be read, or a folder has no script.
    """
    if (target / "__main__.py").is_file():
        target /= "__main__.py"
    if not target.is_dir():
        return _read_script(target)
    readings: list[tuple[Diagnosis, dict[str, Fact] | None]] = []
    for script in find_scripts(target):
        try:
            readings.append(_read_script(script))
        except UsageError as error:  # the others are read all the same
            why = error.problem.removeprefix(f"{script} cannot be read: ")
            readings.append((Diagnosis(not_read=(NotRead(file=str(script), why=why),)), None))
    if not readings:
        raise UsageError(f"the folder {target} has no Python script", "name a script, or a folder with one")
    parts = [diagnosis for diagnosis, _ in readings]
    places = {(item.kind, item.file, item.line): item for part in parts for item in part.findings}
    files = tuple(dict.fromkeys(file for part in parts for file in part.files))
    not_read = tuple(dict.fromkeys(item for part in parts for item in part.not_read))
    diagnosis = Diagnosis(findings=tuple(places.values()), files=files, not_read=not_read)
    return diagnosis, readings[0][1] if len(readings) == 1 else None


def find_scripts(folder: Path) -> list[Path]:
    """Return the files of a folder that no other imports, or that have a main guard; no tests, nothing hidden."""
    outside = {path.parent for path in folder.rglob("pyvenv.cfg")}
    shown = [p for p in sorted(folder.rglob("*.py")) if not any(map(_SKIPPED.fullmatch, p.relative_to(folder).parts))]
    texts = {path: path.read_bytes() for path in shown if path.is_file() and not outside & set(path.parents)}
    imported = {name.decode() for text in texts.values() for names in _IMPORTED.findall(text) for name in names}
    return [path for path, text in texts.items() if path.stem not in imported or b"__main__" in text]


def _read_script(path: Path) -> tuple[Diagnosis, dict[str, Fact] | None]:
    try:
        rules = Rules(Program(path))
        findings = rules.find_all()
        facts = read_facts(rules, findings)
    except RecursionError:
        raise UsageError(f"{path} is nested too deeply to be read", "name another script") from None
    sources = rules.program.sources
    files = tuple(source.shown for source in sources.files)
    disorder = describe_disorder(read_cells(path)) if path.suffix == NOTEBOOK else None
    notes = () if disorder is None else (f"{path}: {disorder}",)
    return Diagnosis(findings=findings, files=files, not_read=tuple(sources.not_read), notes=notes), facts

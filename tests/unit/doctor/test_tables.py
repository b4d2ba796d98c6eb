"""The doctor on the tables of whole trainings: lines of faults that it names, and no accusation of a clean one."""

from __future__ import annotations

import json
import os
import runpy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reproof.doctor.script import read_target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reproof.doctor import Finding

TESTS = Path(__file__).resolve().parents[2]
LEAST_NAMED = 45
"""Of 116 faulty scripts; `reproof check` finds the others by experiment."""

Place = tuple[str, str, int]


def places_of(findings: tuple[Finding, ...], folder: Path) -> set[Place]:
    """Return kind, file in the folder of the case, and line of each finding."""
    return {(item.kind, os.path.relpath(item.file, folder), item.line) for item in findings}


def causes() -> Iterator[tuple[Path, set[Place]]]:
    """Yield the scripts of tests/causes, each with the places that are right; none for a clean one."""
    for case in runpy.run_path(str(TESTS / "causes" / "cases.py"))["CASES"]:
        right = {
            (kind, path, number)
            for cause in case.causes
            for path, text in cause.places
            for number, line in enumerate((case.folder / path).read_text(encoding="utf-8").splitlines(), 1)
            for kind in cause.kinds
            if text in line
        }
        yield case.folder / "train.py", right


def trainings() -> Iterator[tuple[Path, set[Place]]]:
    """Yield the scripts of tests/trainings."""
    for case in runpy.run_path(str(TESTS / "trainings" / "cases.py"))["TRAININGS"]:
        words = [word for word in case.command if word != "-m"]
        module = case.folder.joinpath(*words[0].split(".")) if "-m" in case.command else case.folder / words[0]
        script = module if module.exists() else module.with_suffix(".py")
        yield script, {(cause.kind, cause.file, cause.find_line(case.folder)) for cause in case.causes}


def clean() -> Iterator[tuple[Path, set[Place]]]:
    """Yield ordinary scripts, our examples but the faulty one, and trainings that resume."""
    for folder in (Path(__file__).parent / "clean", TESTS.parent / "examples", TESTS / "resuming"):
        yield from ((script, set()) for script in sorted(folder.rglob("*.py")) if script != faulty_example()[0])
    yield TESTS / "searching" / "search.py", set()


def faulty_example() -> tuple[Path, set[Place]]:
    """Return the example that forgets a seed."""
    script = TESTS.parent / "examples" / "digits" / "train_augmented.py"
    lines = enumerate(script.read_text(encoding="utf-8").splitlines(), 1)
    (line,) = (number for number, text in lines if "default_rng()" in text)
    return script, {("unseeded-generator", script.name, line)}


def corpus() -> Iterator[tuple[Path, set[Place]]]:
    """Yield the scripts of the corpus that REPROOF_CORPUS names, if it does."""
    for path in sorted(Path(os.environ.get("REPROOF_CORPUS", "/nowhere")).glob("cases/*/case.json")):
        case: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        command = case.get("command", ["train.py"])
        if (path.parent / command[0]).is_file():
            found = case.get("causes", []) if case["expect"] == "diverged" and "resume" not in case else []
            yield path.parent / command[0], {(item.get("kind", ""), item["file"], item["line"]) for item in found}


def test_the_line_of_the_faulty_example_is_named_and_no_other() -> None:
    """It is the one that `make demo` shows."""
    script, right = faulty_example()
    assert places_of(read_target(script)[0].findings, script.parent) == right


def test_faults_are_named_and_nobody_is_accused() -> None:
    """On all tables together: at least so many faulty scripts with the right line, and no finding in a clean one."""
    named, accused = [], []
    for script, right in (*causes(), *trainings(), *clean(), *corpus()):
        folder = script.parents[1] if any("/" in path for _, path, _ in right) else script.parent
        found = places_of(read_target(script)[0].findings, folder)
        if right and found & right:
            named.append(script)
        elif found and not right:
            accused.append((script, found))
    assert accused == []
    assert len(named) >= LEAST_NAMED

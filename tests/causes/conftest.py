"""What the tests of causes share: the tables of cases and cures, and fresh processes to run scripts in."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Protocol

import pytest

TIMEOUT_SECONDS = 280


class Process(Protocol):
    """Runs Python in a folder and waits for it."""

    def __call__(self, folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run it with these arguments and environment variables."""


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """Return the environment variables of fresh processes, which start in other folders and compute in one thread."""
    paths = [str(Path(path).resolve()) for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONHASHSEED"}
    return {**kept, "OMP_NUM_THREADS": "1", **({"PYTHONPATH": os.pathsep.join(paths)} if paths else {})}


@pytest.fixture(scope="session")
def python(environment: dict[str, str]) -> Process:
    """Return what runs Python in a fresh process."""

    def run(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=folder,
            env={**environment, **variables},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )

    return run


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give the tests that ask for them every case, every clean or every faulty one, or every one with a cure."""
    tables = runpy.run_path(str(Path(__file__).with_name("cases.py")))
    cures = runpy.run_path(str(Path(__file__).with_name("cures.py")))["CURES"]
    cases = {
        "clean_case": [case for case in tables["CASES"] if not case.causes],
        "faulty_case": [case for case in tables["CASES"] if case.causes],
        "curable_case": [case for case in tables["CASES"] if case.name in cures],
    }
    for name in cases.keys() & set(metafunc.fixturenames):
        marked = [
            pytest.param(case, marks=pytest.mark.thorough if "dear" in case.tags else (), id=case.name)
            for case in cases[name]
        ]
        metafunc.parametrize(name, marked)

"""A fresh interpreter, with variables and options of the test."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Protocol

import pytest


class RunPython(Protocol):
    """Runs code in a fresh interpreter."""

    def __call__(self, code: str, *options: str, **variables: str | None) -> str:
        """Return what it prints; a variable that is None is removed."""


@pytest.fixture(scope="session")
def run_python() -> RunPython:
    """Return what runs code in a fresh interpreter."""

    def run(code: str, *options: str, **variables: str | None) -> str:
        environment = {**os.environ, **variables}
        kept = {name: value for name, value in environment.items() if value is not None}
        command = [sys.executable, *options, "-c", code]
        return subprocess.run(command, check=True, capture_output=True, text=True, env=kept).stdout.strip()

    return run

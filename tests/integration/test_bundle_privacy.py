"""A bundle is made to be shared: searched byte by byte for what must not be in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.integration.test_bundle_search import SEARCHING, write_points

from reproof.bundle import open_bundle

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("optuna")
pytest.importorskip("sklearn")
pytestmark = pytest.mark.slow

SECRETS = ("hunter2-of-the-database", "hf_AbCdEfGhIjKlMnOpQrStUvWx")
MIN_NAME = 5
"""A shorter host name may come about by chance."""


def test_nothing_private_is_in_a_bundle(tmp_path: Path, environment: dict[str, str]) -> None:
    """No password, token, host name, user's folder or path of the project, in the name or content of any file."""
    project = tmp_path / "home-of-somebody" / "project"
    project.mkdir(parents=True)
    for path in SEARCHING.glob("*.py"):
        shutil.copy(path, project)
    write_points(project / "points.csv")
    url = f"postgresql://me:{SECRETS[0]}@db.example/study"
    command = [sys.executable, "-W", "ignore", "search.py", "1", "study.journal", "--password", SECRETS[0], url]
    own = {"HOME": str(project.parent), "HF_TOKEN": SECRETS[1], "LD_LIBRARY_PATH": str(project.parent)}
    done = subprocess.run(
        [*command, "--token", SECRETS[1]],
        cwd=project,
        env={**environment, **own},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    bundle = project / "optuna_best"
    assert open_bundle(bundle).has_trace
    host = os.uname().nodename
    private = [*SECRETS, str(tmp_path), str(project), *([host] if len(host) >= MIN_NAME else [])]
    for path in bundle.rglob("*"):
        content = os.fsencode(path.relative_to(bundle)) + (path.read_bytes() if path.is_file() else b"")
        found = [word for word in private if word.encode() in content]
        assert not found, (path.name, found)

"""Experiments on a training that needs more than its folder: data beside it, packages that are named by their path."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from reproof.checking import CheckRequest, CheckResult, run_check
from reproof.launch import placing

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = """
    import numpy as np

    def draw(count):
        return np.random.default_rng().standard_normal((count, 3)).astype("float32")
"""
TRAINING = """
    import sys
    import time
    from pathlib import Path

    import torch
    from mine import draw

    torch.manual_seed(0)
    torch.set_num_threads(1)
    rows = torch.tensor([float(word) for word in open("../data/rows.txt").read().split()])
    if "--note" in sys.argv:
        with open("../runs.txt", "a") as notes:
            notes.write("run ")
    if "--wait" in sys.argv:
        time.sleep(2)
    model = torch.nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step in range(3):
        loss = (model(torch.from_numpy(draw(4))) - rows[step]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
"""

PATIENCE_SECONDS = 120

pytestmark = pytest.mark.slow


@pytest.fixture(params=["layers", pytest.param("links", marks=pytest.mark.thorough), "guard"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return how copies are placed; where layers are not offered, links are used for both."""
    if request.param != "layers":
        monkeypatch.setattr(placing, "place_in_layers", lambda *_: None)
    if request.param == "guard":  # as on a system that offers no confinement
        monkeypatch.setattr(placing, "is_offered", lambda _command: False)
    return str(request.param)


@pytest.fixture
def repository(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """Yield a repository with code in ``src``, which is the current folder, and data beside it."""
    for name, text in (
        ("data/rows.txt", "0.5 0.25 0.125"),
        ("src/lib/mine.py", PACKAGE),
        ("src/train.py", TRAINING),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(dedent(text), encoding="utf-8")
    monkeypatch.chdir(tmp_path / "src")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "src" / "lib"))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    return tmp_path


def check(*arguments: str) -> CheckResult:
    """Check the training with a few experiments."""
    return run_check(CheckRequest(command=("train.py", *arguments), max_runs=4))


def read_tree(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return times of modification and contents of all files, and times of all folders, below a folder."""
    return {
        str(path): (path.lstat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in (folder, *folder.rglob("*"))
    }


@pytest.mark.usefixtures("way")
def test_the_line_in_a_package_is_named_and_nothing_is_touched(repository: Path) -> None:
    """Its copy is imported, under the name that the file has; code and data are as before, to the time."""
    before = read_tree(repository)
    found = check().comparison
    assert [(cause.kind, cause.file, cause.line, cause.confirmed) for cause in found.causes] == [
        ("unseeded-generator", "lib/mine.py", 5, True)
    ]
    assert read_tree(repository) == before


def test_what_a_training_writes_beside_its_folder_is_that_of_its_runs(repository: Path, way: str) -> None:
    """Experiments add nothing to it; where that can only be refused, it is told."""
    found = check("--note")
    assert (repository / "runs.txt").read_text(encoding="utf-8") == "run " * 2
    assert found.explanation is not None
    if way == "layers":
        assert found.comparison.causes[0].confirmed
    elif found.explanation.notes:
        assert "experiment 1 failed: train.py raised PermissionError" in found.explanation.notes[0]


def test_an_interrupted_search_leaves_all_as_it_was(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Ctrl-C in an experiment, which writes beside its folder too: code and data are as before, and no copy is left."""
    notes, temporary = repository / "runs.txt", tmp_path_factory.mktemp("temporary")
    notes.touch()
    before = read_tree(repository)
    process = subprocess.Popen(
        [sys.executable, "-m", "reproof", "check", "train.py", "--note", "--wait"],
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        end = time.monotonic() + PATIENCE_SECONDS
        while not find_experiments() and process.poll() is None and time.monotonic() < end:
            time.sleep(0.05)
        assert find_experiments()
        time.sleep(1)  # it has written by then
        os.killpg(process.pid, signal.SIGINT)
        out, _ = process.communicate(timeout=PATIENCE_SECONDS)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, notes.read_text(encoding="utf-8")) == (130, "run " * 2), out
    after = read_tree(repository)
    del before[str(notes)], after[str(notes)]
    assert after == before
    assert [path for path in temporary.iterdir() if path.name.startswith("reproof-")] == []


def find_experiments() -> list[Path]:
    """Return the traces of experiments that have begun."""
    return list(Path(os.environ["XDG_CACHE_HOME"]).glob("reproof/checks/*/experiment1/rank0.entropy"))

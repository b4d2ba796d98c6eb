"""Notebooks are run in fresh kernels, and a cause is named by its cell and line."""

from __future__ import annotations

import importlib.util
import json
from typing import TYPE_CHECKING, Any

import pytest

from reproof import compare
from reproof.trace import open_trace

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Command

MISSING = [name for name in ("nbclient", "ipykernel") if importlib.util.find_spec(name) is None]

pytestmark = [
    pytest.mark.skipif(bool(MISSING), reason=f"{', '.join(MISSING)} not installed: pip install 'reproof[notebook]'"),
    pytest.mark.slow(seconds=20),
]

MODEL = """import torch

torch.manual_seed(0)
model = torch.nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
"""

TRAINING = """for _ in range(3):
    optimizer.zero_grad()
    loss = model(torch.randn(4, 3)).pow(2).mean()
    loss.backward()
    optimizer.step()
print("loss", loss.item())
optimizer
"""


def write(folder: Path, *cells: str, counts: tuple[int, ...] = ()) -> None:
    """Write a notebook in a folder of its own, as many have one."""
    folder.mkdir(exist_ok=True)
    entries = [
        {
            "cell_type": "code",
            "id": f"cell{number}",
            "metadata": {},
            "outputs": [],
            "execution_count": counts[number] if counts else None,
            "source": source,
        }
        for number, source in enumerate(cells)
    ]
    content = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": entries}
    (folder / "train.ipynb").write_text(json.dumps(content), encoding="utf-8")


def test_a_notebook_is_recorded_as_a_script_is(tmp_path: Path, reproof: Command) -> None:
    """What it prints is printed, nothing is written into it, and two runs are identical, pictures and all."""
    picture = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nopen('seen.txt', 'w').write('here');"
    write(tmp_path / "work", MODEL, picture, TRAINING)
    before = (tmp_path / "work" / "train.ipynb").read_bytes()
    for name in "ab":
        done = reproof("run", "-o", name, "work/train.ipynb")
        assert done.code == 0, done.err
        assert "loss " in done.out
        assert "SGD (" in done.out
    assert (tmp_path / "work" / "train.ipynb").read_bytes() == before
    assert (tmp_path / "work" / "seen.txt").is_file()
    trace = open_trace(tmp_path / "a")
    assert (trace.header.command, trace.header.status, trace.num_steps) == (("work/train.ipynb",), "complete", 3)
    found = compare(tmp_path / "a", tmp_path / "b")
    assert found.verdict == "identical", (found.first, found.skipped, found.structure, found.output)


def test_a_cell_that_fails_ends_the_run(tmp_path: Path, reproof: Command) -> None:
    """It is named with its error, and what was recorded until then is there."""
    write(tmp_path, MODEL + TRAINING, "raise ValueError('no data')", "print('never')")
    done = reproof("run", "-o", "a", "train.ipynb")
    assert (done.code, "never" in done.out) == (1, False)
    assert "ValueError: no data" in done.err
    trace = open_trace(tmp_path / "a")
    assert (trace.header.ended, trace.num_steps) == ("cell 2 raised ValueError: no data", 3)


@pytest.mark.thorough
@pytest.mark.slow(seconds=60)
def test_a_cause_is_named_by_cell_and_line(tmp_path: Path, reproof: Command) -> None:
    """With the text of the line, by experiment; cells that were last run in another order are noted."""
    planted = "import numpy as np\nrng = np.random.default_rng()\nmodel.bias.data += float(rng.normal())"
    write(tmp_path, MODEL, planted, TRAINING, counts=(3, 1, 2))
    done = reproof("check", "--json", "found.json", "train.ipynb", XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert done.code == 1, done.err
    assert "in another order than they stand in: [3] [1] [2]" in done.err
    found: dict[str, Any] = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    (cause,) = found["causes"]
    assert (cause["kind"], cause["file"], cause["cell"], cause["line"]) == ("unseeded-generator", "train.ipynb", 2, 2)
    assert (cause["text"], cause["confirmed"]) == ("rng = np.random.default_rng()", True)

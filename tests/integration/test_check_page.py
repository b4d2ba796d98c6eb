"""`reproof check --html` as a user meets it: the samples that differ, and nothing of them without being asked."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Command

SCRIPT = """
import random

import torch
from torch.utils.data import DataLoader

torch.manual_seed(0)
noise = random.Random()
model = torch.nn.Linear(12, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
data = [(torch.arange(12) / 12 + (noise.random() if i == 4 else 0), i) for i in range(6)]
for inputs, labels in DataLoader(data, batch_size=3):
    optimizer.zero_grad()
    (model(inputs).squeeze(1) - labels).square().mean().backward()
    optimizer.step()
"""

pytestmark = pytest.mark.slow(30)


def read_rows(page: Path) -> Any:
    """Return the rows in a page."""
    found = re.search(r'id="rows">(.*?)</script>', page.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return json.loads(found[1])


@pytest.mark.thorough  # unit tests of the report have samples
def test_the_samples_that_differ_are_in_the_page_if_asked_for(reproof: Command, tmp_path: Path) -> None:
    """Of the batch in which the runs part, each from a run that equals the one that it repeats."""
    (tmp_path / "train.py").write_text(SCRIPT)
    done = reproof("check", "--samples", "--html", "page.html", "--keep", "traces", "train.py")
    assert done.code == 1
    rows = read_rows(tmp_path / "page.html")
    assert [(row["place"], row["name"], row["height"], row["width"]) for row in rows["samples"]] == [(1, "4", 1, 12)]
    results = [row["result"] for row in rows["experiments"][-2:]]
    assert results == ["equals the baseline through step 1", "equals the candidate through step 1"]
    assert 'class="signal"' in (tmp_path / "page.html").read_text(encoding="utf-8")
    kept = sorted(path.parent.name for path in (tmp_path / "traces").rglob("*.samples.json"))
    assert len(kept) == 2
    assert all(name.startswith("experiment") for name in kept)


@pytest.mark.thorough  # as above
def test_samples_of_runs_that_the_user_records_are_in_their_report(reproof: Command, tmp_path: Path) -> None:
    """Of the step that was named; nothing is run again."""
    (tmp_path / "train.py").write_text(SCRIPT)
    for name in "ab":
        assert reproof("run", "--samples", "1", "-o", name, "train.py").code == 0
    assert reproof("report", "a", "b").code == 1
    rows = read_rows(tmp_path / "report.html")
    assert [(row["place"], row["name"]) for row in rows["samples"]] == [(1, "4")]

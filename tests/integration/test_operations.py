"""Two runs that part are told by the operation at which they do, from the command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from reproof.trace.probes import read_poisoned, read_repetitions

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Command

MAX_TRIES = 6
"""Threads may come in the same order twice. Eight do so seldom, even where they share one busy core; two, often."""

RACE = """
import torch

torch.manual_seed(0)
torch.set_num_threads(8)
rows = torch.randint(50, (20000,))
weights = torch.randn(20000, 16)

class Lookup(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.table = torch.nn.Parameter(torch.randn(50, 16))
        self.head = torch.nn.Linear(16, 16)

    def forward(self, rows):
        found = self.table[rows]
        return self.head(found)

model = Lookup()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(6):
    optimizer.zero_grad()
    (model(rows) * weights).mean().backward()
    optimizer.step()
"""
LINE = next(i for i, line in enumerate(RACE.splitlines(), start=1) if "self.table[rows]" in line)


def compare(reproof: Command, folder: Path, *runs: str) -> dict[str, Any]:
    """Compare two runs; return the JSON."""
    done = reproof("compare", *runs, "--json", "out.json")
    assert done.code in (0, 1), done.err
    found: dict[str, Any] = json.loads((folder / "out.json").read_text(encoding="utf-8"))
    return found


@pytest.mark.slow
def test_the_operation_that_races_is_named(reproof: Command, tmp_path: Path) -> None:
    """The backward of an index is told with the line of the index, its module, and how far the results are apart."""
    (tmp_path / "train.py").write_text(RACE, encoding="utf-8")
    for number in range(MAX_TRIES):
        done = reproof("run", "--level", "ops", "-o", f"run{number}", "train.py", OMP_NUM_THREADS="8")
        assert done.code == 0, done.err
        if number and compare(reproof, tmp_path, "run0", f"run{number}")["verdict"] == "diverged":
            break
    else:
        pytest.fail(f"eight threads did not race in {MAX_TRIES} runs of 6 steps")
    told = reproof("compare", "run0", f"run{number}")
    first = compare(reproof, tmp_path, "run0", f"run{number}")["first_divergence"]
    assert first["stage"] == "gradient"
    assert (first["file"], first["line"]) == ("train.py", LINE)
    assert first["op"]["name"].startswith("aten::index_put")
    assert first["op"]["name"] != "aten::index"
    assert {key: first["op"][key] for key in ("cause", "phase", "module", "file", "line", "shape")} == {
        "cause": "computed",
        "phase": "backward",
        "module": "Lookup",
        "file": "train.py",
        "line": LINE,
        "shape": [50, 16],
    }
    assert f"operation {first['op']['name']} (backward) of Lookup, train.py:{LINE} in Lookup.forward" in told.out


EXPERIMENT = """
import sys
from reproof.recorder import Recording
from reproof.recorder.options import RecordingOptions
from reproof.schema import Probes

kind, folder = sys.argv[1:]
probes = {
    "repeat": Probes(ops_steps=(0, 3), repeats_ops=True),
    "values": Probes(ops_steps=(0, 3), keeps_op_values=True),
    "poison": Probes(poisons=True),
}[kind]
with Recording(folder, RecordingOptions(probes=probes)) as recording:
    exec(compile(open("train.py").read(), "train.py", "exec"))
print(recording.problems)
"""


@pytest.mark.slow
def test_one_run_shows_which_operation_races(python: Command, tmp_path: Path) -> None:
    """Executed again, the operation gives other bits; with one thread, and deterministic algorithms, it does not."""
    (tmp_path / "train.py").write_text(RACE, encoding="utf-8")
    (tmp_path / "experiment.py").write_text(EXPERIMENT, encoding="utf-8")
    for number in range(MAX_TRIES):
        done = python("experiment.py", "repeat", f"run{number}", OMP_NUM_THREADS="8")
        assert (done.code, done.out.splitlines()[-1:]) == (0, ["()"]), done.err
        found = read_repetitions(tmp_path / f"run{number}", 0)
        assert found is not None
        if found.unstable:
            break
    else:
        pytest.fail(f"eight threads did not race in {MAX_TRIES} runs")
    assert {(op.name, op.line, op.module, op.phase) for op in found.unstable} == {
        ("aten::index_put", LINE, "Lookup", "backward")
    }
    op = found.unstable[0]
    assert op.stable_with == ("one thread", "deterministic algorithms")
    assert op.num_distinct > 1
    assert 0 < op.num_differing <= op.num_elements == 800


def test_values_tell_how_far_two_runs_are_apart(reproof: Command, python: Command, tmp_path: Path) -> None:
    """Outputs kept by both runs are compared element by element, and the divergence is the first that matters."""
    text = (
        "import sys, torch\n"
        "torch.manual_seed(0)\n"
        "model = torch.nn.Linear(4, 1)\n"
        "scale = float(open('scale').read())\n"
        "noise = torch.rand(3)\n"
        "(model(torch.ones(3, 4)) * scale).sum().backward()\n"
    )
    (tmp_path / "train.py").write_text(text, encoding="utf-8")
    (tmp_path / "experiment.py").write_text(EXPERIMENT, encoding="utf-8")
    for name, scale in (("a", "1.0"), ("b", "1.5")):
        (tmp_path / "scale").write_text(scale, encoding="utf-8")
        done = python("experiment.py", "values", name)
        assert (done.code, done.out) == (0, "()\n"), done.err
    first = compare(reproof, tmp_path, "a", "b")["first_divergence"]
    assert (first["stage"], first["op"]["cause"], first["op"]["name"]) == ("loss", "argument", "aten::mul")
    assert first["line"] == 6


def test_memory_that_nothing_wrote_is_named(python: Command, tmp_path: Path) -> None:
    """A poisoned run tells the line that allocated what the model reads."""
    text = (
        "import torch\n"
        "class Net(torch.nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.layer = torch.nn.Linear(4, 4)\n"
        "        self.register_buffer('offset', torch.empty(4))\n"
        "    def forward(self, x):\n"
        "        return self.layer(x) + self.offset\n"
        "Net()(torch.ones(2, 4)).sum().backward()\n"
    )
    (tmp_path / "train.py").write_text(text, encoding="utf-8")
    (tmp_path / "experiment.py").write_text(EXPERIMENT, encoding="utf-8")
    done = python("experiment.py", "poison", "run")
    assert (done.code, done.out) == (0, "()\n"), done.err
    found = next(iter(read_poisoned(tmp_path / "run", 0)), None)
    assert found is not None
    assert (found.stage, found.name, found.line, found.num_poisoned) == ("init", "Net.offset", 6, 4)

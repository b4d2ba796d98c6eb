"""Real trainings come to the same bits with a recording as without, at every level of evidence."""

from __future__ import annotations

import json
import runpy
import shutil
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest

from reproof.schema import LEVELS

if TYPE_CHECKING:
    from tests.integration.conftest import Command

ROOT = Path(__file__).resolve().parents[1] / "trainings"
TRAININGS: dict[str, Any] = {
    training.name: training for training in runpy.run_path(str(ROOT / "cases.py"))["TRAININGS"]
}

pytestmark = pytest.mark.slow

OBSERVED = [
    "autocast_scaler",
    "checkpointed_blocks",
    "compiled_aot",
    "fused_convnet",
    "gan_two_optimizers",
    "lbfgs_closure",
    "packed_rnn",
    "tiny_gpt",
    "workers_fork",
]
"""Between them: dropout and its recomputation, batch norm, autocast and a scaler, a compiled model, two optimizers, a
closure, packed sequences, embeddings, a package, and workers that augment with each global generator."""

OBSERVER = """
import contextlib, hashlib, io, json, pickle, random, runpy, sys

import numpy as np
import torch

import reproof
from reproof.schema import LEVELS

optimizers = []
plain_init = torch.optim.Optimizer.__init__

def init(optimizer, *args, **kwargs):
    plain_init(optimizer, *args, **kwargs)
    optimizers.append(optimizer)

torch.optim.Optimizer.__init__ = init
known = set(sys.modules)

def take(value):
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return hashlib.sha256(buffer.getvalue()).hexdigest()

def train(recording):
    optimizers.clear()
    for name in [name for name in sys.modules if name not in known and not name.startswith("torch")]:
        del sys.modules[name]  # the training's own, which it must import anew
    torch._dynamo.reset()
    random.seed(3)
    np.random.seed(3)
    torch.manual_seed(3)
    output = io.StringIO()
    with contextlib.redirect_stdout(output), recording:
        if command[0] == "-m":
            runpy.run_module(command[1], run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(command[0], run_name="__main__")
    return {
        "output": output.getvalue(),
        "weights": [take([group["params"] for group in optimizer.param_groups]) for optimizer in optimizers],
        "optimizers": [take(optimizer.state_dict()) for optimizer in optimizers],
        "python": hashlib.sha256(pickle.dumps(random.getstate())).hexdigest(),
        "numpy": hashlib.sha256(pickle.dumps(np.random.get_state())).hexdigest(),
        "torch": take(torch.get_rng_state()),
    }

traces, *command = sys.argv[1:]
sys.argv = [command[-1]]
sys.path.insert(0, "")
found = {"": train(contextlib.nullcontext())}
amounts = {}
for level in LEVELS:
    recording = reproof.record(f"{traces}/{level}", level=level)
    found[level] = train(recording)
    amounts[level] = (recording.frames.num_events, recording.problems)
print(json.dumps([found, amounts]))
"""


@pytest.mark.a_part(one_in=6)
@pytest.mark.parametrize("name", OBSERVED)
def test_a_training_comes_to_the_same_bits_at_every_level(
    name: str, python: Command, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Printed output, weights, optimizer state and generators are those of the training alone."""
    training = TRAININGS[name]
    shutil.copytree(training.folder, tmp_path, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    folder = tmp_path_factory.mktemp("observer")
    (folder / "observe.py").write_text(OBSERVER, encoding="utf-8")
    done = python(folder / "observe.py", folder, *training.command)
    assert done.code == 0, done.err
    found, amounts = json.loads(done.out)
    plain = found.pop("")
    assert "final " in plain["output"]
    assert plain["weights"]
    for level in LEVELS:
        assert found[level] == plain, level
    assert [problems for _, problems in amounts.values()] == [[]] * len(LEVELS)
    numbers = [number for number, _ in amounts.values()]
    assert 0 < numbers[0] < numbers[1] <= numbers[2] == numbers[3]


COMPILED = """
import torch
import reproof
from reproof.schema import LEVELS

class Smoothed(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.part = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Tanh())
        self.register_buffer("mean", torch.zeros(4))

    def forward(self, x):
        y = self.part(x)
        self.mean = 0.9 * self.mean + 0.1 * y.detach().mean(0)
        return y - self.mean

def train():
    compiled = []
    def count(graph, inputs):
        compiled.append(graph)
        return graph.forward
    torch._dynamo.reset()
    torch.manual_seed(0)
    model = Smoothed()
    fast = torch.compile(model, backend=count, fullgraph=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(12):
        optimizer.zero_grad()
        fast(torch.randn(8, 4)).square().mean().backward()
        optimizer.step()
    print(len(compiled), model.mean.tolist(), model.part[0].weight.tolist())

train()
for level in LEVELS:
    with reproof.record(level, level=level):
        train()
"""


def test_a_compiled_model_is_compiled_as_often(python: Command, tmp_path: Path) -> None:
    """A recording causes no break in the graph and no recompilation, though the model assigns a buffer in each step."""
    (tmp_path / "train.py").write_text(COMPILED, encoding="utf-8")
    done = python("train.py")
    assert (done.code, done.err) == (0, "")
    plain, *recorded = done.out.splitlines()
    assert plain.startswith("1 [")
    assert recorded == [plain] * len(LEVELS)


SCRIPT = """
import hashlib, io, pickle, random
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

class Noisy(Dataset):
    def __len__(self):
        return 30
    def __getitem__(self, index):
        return torch.full((3,), random.gauss(index, 1)) + np.random.rand() + torch.rand(3), index % 3

random.seed(1), np.random.seed(1), torch.manual_seed(1)
model = torch.nn.Sequential(torch.nn.Linear(3, 16), torch.nn.Dropout(0.3), torch.nn.Linear(16, 3))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for inputs, labels in DataLoader(Noisy(), batch_size=4, shuffle=True):
    loss = torch.nn.functional.cross_entropy(model(inputs), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(loss.item())
generators = random.getstate(), np.random.get_state(), torch.get_rng_state()
for state in (model.state_dict(), optimizer.state_dict(), *generators):
    buffer = io.BytesIO()
    torch.save(state, buffer)
    print(hashlib.sha256(buffer.getvalue()).hexdigest())
"""


@pytest.mark.a_part(one_in=2)
@pytest.mark.parametrize("level", LEVELS)
def test_the_command_changes_nothing_either(level: str, python: Command, reproof: Command, tmp_path: Path) -> None:
    """A script prints the same under `reproof run`: losses, and digests of weights, optimizer and generators."""
    (tmp_path / "train.py").write_text(dedent(SCRIPT), encoding="utf-8")
    plain = python("train.py")
    recorded = reproof("run", "--quiet", "--level", level, "-o", "trace", "train.py")
    assert (recorded.code, recorded.out, recorded.err) == (plain.code, plain.out, plain.err)
    assert len(plain.out.splitlines()) == 8 + 5

"""What is seen of trainings that a framework or a launcher runs: the table of `docs/frameworks.md`, made again.

Each row is a real training of two or three steps. Where a package is missing the row is skipped, with a notice.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Final

import pytest

from reproof.schema import STAGES
from reproof.trace import open_trace

if TYPE_CHECKING:
    from tests.integration.conftest import Command

    from reproof.schema import Stage

DOCUMENT: Final = Path(__file__).parents[2] / "docs" / "frameworks.md"

HEAD = """
import torch
from torch.utils.data import DataLoader, TensorDataset

x = torch.randn(24, 8, generator=torch.Generator().manual_seed(0))
data = TensorDataset(x, x.sum(1, keepdim=True))
"""

LOOP = """
torch.manual_seed(0)
model = torch.nn.Linear(8, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
{prepare}
for a, b in loader:
    optimizer.zero_grad()
    loss = (model(a) - b).pow(2).mean()
    {backward}
    optimizer.step()
"""

PLAIN = HEAD + LOOP.format(prepare="loader = DataLoader(data, batch_size=8)", backward="loss.backward()")

RANKS = (
    HEAD
    + "import torch.distributed as dist\ndist.init_process_group('gloo')\n"
    + LOOP.format(
        prepare="model = torch.nn.parallel.DistributedDataParallel(model)\n"
        "from torch.utils.data.distributed import DistributedSampler\n"
        "loader = DataLoader(data, batch_size=4, sampler=DistributedSampler(data))",
        backward="loss.backward()",
    )
)

ACCELERATE = (
    HEAD
    + "from accelerate import Accelerator\naccelerator = Accelerator(cpu=True)\n"
    + LOOP.format(
        prepare="loader = DataLoader(data, batch_size=4)\n"
        "model, optimizer, loader = accelerator.prepare(model, optimizer, loader)",
        backward="accelerator.backward(loss)",
    )
)

LIGHTNING = """
import lightning

class Net(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(8, 1)

    def training_step(self, batch, _):
        loss = (self.layer(batch[0]) - batch[1]).pow(2).mean()
        self.log("loss", loss)
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)

if __name__ == "__main__":
    lightning.seed_everything(0)
    options = dict(enable_progress_bar=False, enable_model_summary=False, logger=False, enable_checkpointing=False)
    trainer = lightning.Trainer(max_epochs=1, accelerator="cpu", {more}, **options)
    trainer.fit(Net(), DataLoader(data, batch_size=4))
"""

TRAINER = """
import transformers

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(8, 1)

    def forward(self, x, labels=None):
        out = self.layer(x)
        return {"loss": (out - labels).pow(2).mean(), "logits": out}

transformers.set_seed(0)
samples = [{"x": a, "labels": b} for a, b in data]
options = dict(report_to=[], use_cpu=True, save_strategy="no", disable_tqdm=True, logging_steps=1)
arguments = transformers.TrainingArguments("out", max_steps=3, per_device_train_batch_size=8, **options)
transformers.Trainer(Net(), arguments, train_dataset=samples).train()
"""

HYDRA = """
import hydra

@hydra.main(version_base=None, config_path=None)
def main(config):
    lr = config.get("lr", 0.05)
    exec({loop!r}, globals())

main()
"""

OPTUNA = """
import optuna

def objective(trial):
    torch.manual_seed(0)
    model = torch.nn.Linear(8, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=trial.suggest_float("lr", 0.01, 0.1))
    for a, b in DataLoader(data, batch_size=8):
        optimizer.zero_grad()
        loss = (model(a) - b).pow(2).mean()
        loss.backward()
        optimizer.step()
    return loss.item()

optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0)).optimize(objective, n_trials=2)
"""

TORCHRUN = ("--", sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "train.py")
LAUNCH = ("--", sys.executable, "-m", "accelerate.commands.launch", "--cpu", "--num_processes", "1")

ROWS: Final[dict[str, tuple[tuple[str, ...], str, tuple[str, ...]]]] = {
    "a loop of one's own": ((), PLAIN, ("train.py",)),
    "torchrun, DDP": ((), RANKS, TORCHRUN),
    "accelerate launch": (("accelerate",), ACCELERATE, (*LAUNCH, "train.py")),
    "Lightning": (("lightning",), HEAD + LIGHTNING.format(more="devices=1"), ("train.py",)),
    "Lightning, ddp": (("lightning",), HEAD + LIGHTNING.format(more="devices=2, strategy='ddp'"), ("train.py",)),
    "Hugging Face Trainer": (("transformers", "accelerate"), HEAD + TRAINER, ("train.py",)),
    "Hydra": (("hydra",), HEAD + HYDRA.format(loop=PLAIN), ("train.py", "+lr=0.1")),
    "Optuna": (("optuna",), HEAD + OPTUNA, ("train.py",)),
    "notebook": (("nbclient", "ipykernel"), PLAIN, ("train.ipynb",)),
}
"""By the name of the row: packages that it needs, what is run, and how."""


@pytest.mark.slow(seconds=15)
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name == "Optuna" else pytest.mark.thorough) for name in ROWS]
)
def test_what_is_seen_is_what_the_document_says(tmp_path: Path, reproof: Command, name: str) -> None:
    """Every stage, in every process that trains."""
    packages, script, command = ROWS[name]
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed")
    (tmp_path / "train.py").write_text(dedent(script), encoding="utf-8")
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "outputs": [], "execution_count": None, "source": script}
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]}
    (tmp_path / "train.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    done = reproof("run", "-o", "a", *command)
    assert done.code == 0, done.err
    assert draw_row(name, tmp_path / "a") in DOCUMENT.read_text(encoding="utf-8")


def draw_row(name: str, folder: Path) -> str:
    """Return the row of the table for a run: processes that train, their steps, and the stages that all of them saw."""
    trace = open_trace(folder)
    every = [rank for one in (trace, *trace.children.values()) for rank in one.ranks.values()]
    training = [rank for rank in every if rank.num_steps]
    seen: list[set[Stage]] = [{event.stage for event in rank.count_events()} for rank in training]
    stages = [stage for stage in STAGES if stage != "output"]
    cells = ["seen" if seen and all(stage in one for one in seen) else "not seen" for stage in stages]
    steps = ", ".join(str(rank.num_steps) for rank in training)
    return f"| {' | '.join((name, f'{len(training)}: {steps}', *cells))} |"

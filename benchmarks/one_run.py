"""How often one run is enough: runs that differ by rounding alone, and runs that really differ, judged without others.

Small trainings of six kinds, with random settings, in this process. Each is trained as the original; again so that sums
are rounded in another way (threads, kernels, columns in another order, one weight moved by one ulp); and with changes
that are no rounding: the losses and the metric at the end alone can tell. Printed is how many of each are called
*equivalent (numerically), from one run*; and, for folders that have kept weights alone, how many are found further away
than rounding takes them, by the distance of all weights together and by that of each tensor.

    python benchmarks/one_run.py [--trainings 8] [--keep runs.json | --from runs.json]

About 25 trainings of a tenth of a second for each of the six kinds and each setting.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from reproof.reproducing.growth import END_FACTOR, GROWTH, judge_growth
from reproof.reproducing.imported import FLOOR
from reproof.reproducing.noise import WORST_FACTOR

NUM_STEPS = 80
NUM_ROWS = 192
NUM_COLUMNS = 32
NUM_PERTURBED = 5


@dataclass(frozen=True)
class Setting:
    """How a training is run; the fields after `seed` are what other runs change."""

    kind: str
    seed: int
    lr: float
    decay: float
    threads: int = 2
    is_plain: bool = False
    is_permuted: bool = False
    perturb: int | None = None
    cell: float = 0.0
    dropout: float = 0.1
    beta: float = 0.999
    eps: float = 1e-8
    order: int = 0
    late: float = 1.0


KINDS = (
    "linear + SGD",
    "MLP + momentum",
    "MLP + BN + AdamW",
    "MLP + dropout + Adam",
    "CNN + BN + AdamW",
    "attention + AdamW",
)


def draw(kind: str, number: int) -> Setting:
    """Return a random setting of a kind of training."""
    rng = random.Random(f"{kind} {number}")  # noqa: S311  # repeatable, no secret
    slow = "SGD" in kind or "momentum" in kind
    lr = (0.02 if slow else 1e-3) * 3 ** rng.uniform(-1, 1)
    return Setting(kind=kind, seed=number, lr=lr, decay=10 ** rng.uniform(-4, -1), dropout=rng.uniform(0.05, 0.3))


ROUNDING = {
    "1 thread instead of 2": lambda s: replace(s, threads=1),
    "kernels without oneDNN": lambda s: replace(s, is_plain=True),
    "columns in another order": lambda s: replace(s, is_permuted=True),
    "one more one-ulp change": lambda s: replace(s, perturb=100),
}
CHANGES = {
    "learning rate +0.1 %": lambda s: replace(s, lr=s.lr * 1.001),
    "learning rate +0.001 %": lambda s: replace(s, lr=s.lr * 1.00001),
    "weight decay +10 %": lambda s: replace(s, decay=s.decay * 1.1),
    "1e-3 in one cell of the data": lambda s: replace(s, cell=1e-3),
    "1e-5 in one cell of the data": lambda s: replace(s, cell=1e-5),
    "dropout +1 %": lambda s: replace(s, dropout=s.dropout * 1.01),
    "beta2 0.999 -> 0.998": lambda s: replace(s, beta=0.998),
    "eps 1e-8 -> 1e-7": lambda s: replace(s, eps=1e-7),
    "another order of the rows": lambda s: replace(s, order=1),
    "another seed": lambda s: replace(s, seed=s.seed + 1_000_003),
    "learning rate +1 % in the last third": lambda s: replace(s, late=1.01),
}


class Attention(nn.Module):
    """A block of attention over eight groups of columns."""

    def __init__(self) -> None:
        """Make the layers."""
        super().__init__()
        self.embed = nn.Linear(NUM_COLUMNS // 8, 32)
        self.attend = nn.MultiheadAttention(32, 4, batch_first=True)
        self.norm = nn.LayerNorm(32)
        self.head = nn.Linear(32, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return one value for each row."""
        h = self.embed(x.view(len(x), 8, -1))
        h = self.norm(h + self.attend(h, h, h, need_weights=False)[0])
        value: torch.Tensor = self.head(h.mean(1))
        return value


def make_model(setting: Setting) -> nn.Module:
    """Return the model of a kind."""
    wide = 192
    match setting.kind:
        case "linear + SGD":
            return nn.Linear(NUM_COLUMNS, 1)
        case "MLP + momentum":
            return nn.Sequential(
                nn.Linear(NUM_COLUMNS, wide), nn.Tanh(), nn.Linear(wide, wide), nn.Tanh(), nn.Linear(wide, 1)
            )
        case "MLP + BN + AdamW":
            return nn.Sequential(nn.Linear(NUM_COLUMNS, wide), nn.BatchNorm1d(wide), nn.ReLU(), nn.Linear(wide, 1))
        case "MLP + dropout + Adam":
            drop = nn.Dropout(setting.dropout)
            return nn.Sequential(
                nn.Linear(NUM_COLUMNS, wide), nn.ReLU(), drop, nn.Linear(wide, wide), nn.ReLU(), nn.Linear(wide, 1)
            )
        case "CNN + BN + AdamW":
            body = (
                nn.Conv1d(1, 8, 5, padding=2),
                nn.BatchNorm1d(8),
                nn.ReLU(),
                nn.Conv1d(8, 8, 5, padding=2),
                nn.ReLU(),
            )
            return nn.Sequential(nn.Unflatten(1, (1, NUM_COLUMNS)), *body, nn.Flatten(), nn.Linear(8 * NUM_COLUMNS, 1))
        case _:
            return Attention()


def make_optimizer(setting: Setting, model: nn.Module) -> torch.optim.Optimizer:
    """Return the optimizer of a kind."""
    if setting.kind.endswith("SGD"):
        return torch.optim.SGD(model.parameters(), lr=setting.lr, weight_decay=setting.decay)
    if setting.kind.endswith("momentum"):
        return torch.optim.SGD(model.parameters(), lr=setting.lr, weight_decay=setting.decay, momentum=0.9)
    make = torch.optim.AdamW if setting.kind.endswith("AdamW") else torch.optim.Adam
    return make(
        model.parameters(), lr=setting.lr, weight_decay=setting.decay, betas=(0.9, setting.beta), eps=setting.eps
    )


def perturb(model: nn.Module, number: int) -> None:
    """Move one weight by one ulp."""
    from reproof.bundle.training import move_one_weight

    move_one_weight(model, number)


def train(setting: Setting) -> dict[str, Any]:
    """Train once and return the losses, the metric and the weights."""
    torch.set_num_threads(setting.threads)
    rng = torch.Generator().manual_seed(setting.seed % 1_000_003)
    x = torch.randn(NUM_ROWS, NUM_COLUMNS, generator=rng)
    y = (x[:, :4].prod(1) + x[:, 4:8].sum(1) + 0.1 * torch.randn(NUM_ROWS, generator=rng)).unsqueeze(1)
    x[5, 3] += setting.cell
    torch.manual_seed(setting.seed)
    model = make_model(setting)
    if setting.is_permuted and setting.kind[:3] in {"MLP", "lin"}:
        columns = torch.randperm(NUM_COLUMNS, generator=torch.Generator().manual_seed(1))
        first = next(model.parameters())
        x, first.data = x[:, columns], first.data[:, columns].clone()
    if setting.perturb is not None:
        perturb(model, setting.perturb)
    optimizer = make_optimizer(setting, model)
    order = torch.Generator().manual_seed(setting.seed + setting.order)
    losses = []
    with torch.backends.mkldnn.flags(enabled=not setting.is_plain):
        for step in range(NUM_STEPS):
            if step == NUM_STEPS * 2 // 3:
                optimizer.param_groups[0]["lr"] *= setting.late
            rows = torch.randperm(NUM_ROWS - 64, generator=order)[:64]
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        model.eval()
        with torch.no_grad():
            score = nn.functional.mse_loss(model(x[-64:]), y[-64:]).item()
    weights = dict(model.state_dict())
    if setting.is_permuted and setting.kind[:3] in {"MLP", "lin"}:
        name = next(iter(weights))
        weights[name] = weights[name][:, columns.argsort()]
    return {"losses": losses, "score": score, "weights": weights}


def measure(first: dict[str, Any], second: dict[str, Any]) -> dict[str, float]:
    """Return how far weights are apart, relative to their size: each tensor, and all together under an empty name."""
    found: dict[str, float] = {}
    squares = total = 0.0
    for name, tensor in first["weights"].items():
        if tensor.is_floating_point():
            size, apart = (
                tensor.double().norm().item(),
                (tensor.double() - second["weights"][name].double()).norm().item(),
            )
            found[name] = apart / size if size else 0.0
            squares, total = squares + apart**2, total + size**2
    return {**found, "": (squares / total) ** 0.5}


def collect(num_trainings: int) -> list[dict[str, Any]]:
    """Train everything, and return what each run left, with its distance from the original."""
    found = []
    for kind in KINDS:
        for number in range(num_trainings):
            print(f"{kind} {number}", file=sys.stderr, flush=True)
            setting = draw(kind, number)
            original = train(setting)
            others = {name: change(setting) for name, change in {**ROUNDING, **CHANGES}.items()}
            others |= {f"perturbed {index}": replace(setting, perturb=index) for index in range(NUM_PERTURBED)}
            runs = {}
            for name, other in others.items():
                run = train(other)
                runs[name] = {"losses": run["losses"], "score": run["score"], "apart": measure(original, run)}
            found.append(
                {"kind": kind, "number": number, "losses": original["losses"], "score": original["score"], "runs": runs}
            )
    return found


def judge(training: dict[str, Any], name: str, growth: float, end: float) -> str:
    """Return ``same`` bits, ``equivalent``, or what took that away."""
    run = training["runs"][name]
    if run["losses"] == training["losses"] and run["score"] == training["score"]:
        return "same"
    metrics = [("mse of y", training["score"], run["score"])]
    found = judge_growth(training["losses"], run["losses"], metrics, growth=growth, end_factor=end)
    if found.is_within:
        return "equivalent"
    return "metrics" if found.step is None else "losses"


def is_far(training: dict[str, Any], name: str, *, by_tensor: bool) -> bool:
    """Whether weights are further away than ten times what rounding did in the perturbed runs."""
    noise = [training["runs"][f"perturbed {index}"]["apart"] for index in range(NUM_PERTURBED)]
    apart = training["runs"][name]["apart"]
    names = [tensor for tensor in apart if tensor] if by_tensor else [""]
    return any(apart[tensor] > WORST_FACTOR * max(FLOOR, *(run[tensor] for run in noise)) for tensor in names)


def show(found: list[dict[str, Any]], growth: float, end: float) -> None:
    """Print the tables."""
    print(f"\ngrowth {growth:g}, end {end:g}: runs  same  equivalent  else: losses  metrics")
    for name in (*ROUNDING, *CHANGES):
        kinds = [judge(training, name, growth, end) for training in found]
        counts = [kinds.count(kind) for kind in ("same", "equivalent", "losses", "metrics")]
        share = counts[1] / max(1, len(kinds) - counts[0])
        print(f"{name:38} {len(kinds):4d} {counts[0]:5d} {counts[1]:5d} {share:4.0%} {counts[2]:13d} {counts[3]:8d}")


def show_by_kind(found: list[dict[str, Any]], names: Any, what: str) -> None:
    """Print how many runs of each kind of training were called equivalent, or were told by their weights."""
    print(f"\n{what:26} differ  equivalent  far: all together  by tensor")
    for kind in KINDS:
        runs = [(training, name) for training in found if training["kind"] == kind for name in names]
        runs = [(training, name) for training, name in runs if judge(training, name, GROWTH, END_FACTOR) != "same"]
        equivalent = sum(judge(training, name, GROWTH, END_FACTOR) == "equivalent" for training, name in runs)
        far = [sum(is_far(training, name, by_tensor=by) for training, name in runs) for by in (False, True)]
        print(f"{kind:26} {len(runs):6d} {equivalent:11d} {far[0]:18d} {far[1]:10d}")


def main() -> None:
    """Print tables of both kinds of runs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--trainings", type=int, default=8)
    parser.add_argument("--growths", default=str(GROWTH), help="growths to judge by, with commas")
    parser.add_argument("--ends", default=str(END_FACTOR), help="factors of the end to judge by, with commas")
    parser.add_argument("--keep", type=Path, help="file for what the runs have left")
    parser.add_argument("--from", dest="kept", type=Path, help="judge runs that were kept")
    options = parser.parse_args()
    torch.use_deterministic_algorithms(mode=True)
    found = json.loads(options.kept.read_text()) if options.kept else collect(options.trainings)
    if options.keep:
        options.keep.write_text(json.dumps(found))
    for growth in map(float, options.growths.split(",")):
        for end in map(float, options.ends.split(",")):
            show(found, growth, end)
    show_by_kind(found, ROUNDING, "rounding")
    show_by_kind(found, CHANGES, "changes")


if __name__ == "__main__":
    main()

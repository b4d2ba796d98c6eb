"""How often the numerical verdict is right: runs that differ by rounding alone, and runs that really differ.

Configurations are drawn at random from what the search of examples/optuna_regression tries. Each is trained once as
the original, several times with one weight moved by one ulp, with other threads and instructions, and with changes that
are no rounding: the same code and data, so that losses and metrics alone can tell. Printed is how many of each were
called *equivalent (numerical)*, as a function of the number of perturbation runs, and of those that were not, how many
by the losses of the first steps (onset), by the metrics at the end, and by both.

    python benchmarks/verdicts.py [--trainings 24] [--perturbations 5,10,15] [--keep runs.json | --from runs.json]

About 30 trainings of a second each for every configuration. With `--keep` what they left is kept, and judged again with
`--from`.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from reproof.bundle.numbers import read_metrics, spell_hex
from reproof.bundle.records import Metrics, Perturbation, Reference
from reproof.reproducing.evidence import Evidence
from reproof.reproducing.verdicts import judge

PROJECT = Path(__file__).resolve().parents[1] / "examples" / "optuna_regression"
THREADS = 2

ROUNDING: dict[str, dict[str, str]] = {
    "1 thread instead of 2": {"THREADS": "1"},
    "ATEN_CPU_CAPABILITY=avx2": {"ATEN_CPU_CAPABILITY": "avx2"},
    "ATEN_CPU_CAPABILITY=default": {"ATEN_CPU_CAPABILITY": "default"},
    "MKL_CBWR=AVX2": {"MKL_CBWR": "AVX2"},
    "MKL_CBWR=COMPATIBLE": {"MKL_CBWR": "COMPATIBLE"},
}
"""Surroundings, as variables of a fresh process; the number of threads is set inside it."""

CHANGES: dict[str, dict[str, float]] = {
    "weight decay +10 %": {"weight_decay": 1.1},
    "learning rate +0.1 %": {"learning_rate": 1.001},
    "learning rate +0.001 %": {"learning_rate": 1.00001},
    "another seed": {"seed": 0.0},
}
"""Factors of a setting; the seed is another one."""

MORE = "one more one-ulp change"
WHATS = {**dict.fromkeys([*ROUNDING, MORE], "rounding"), **dict.fromkeys(CHANGES, "a change")}


class Run(NamedTuple):
    """What a training has left."""

    metrics: Metrics
    losses: tuple[float, ...]
    weights: str


def draw_config(number: int) -> dict[str, Any]:
    """Return a configuration as the search draws it."""
    from omegaconf import OmegaConf

    rng = random.Random(number)  # noqa: S311  # repeatable, no secret
    chosen = {
        "model": {
            "hidden": rng.randrange(32, 193, 16),
            "dropout_rate": rng.uniform(0, 0.3),
            "use_residual": rng.random() < 0.5,
        },
        "training": {
            "seed": number,
            "learning_rate": 3e-4 * (2e-2 / 3e-4) ** rng.random(),
            "batch_size": rng.choice([16, 32, 64]),
            "weight_decay": 1e-6 * 1e4 ** rng.random(),
        },
    }
    merged = OmegaConf.merge(OmegaConf.load(PROJECT / "config.yaml"), chosen)
    config: dict[str, Any] = OmegaConf.to_container(merged, resolve=True)
    return config


def train_once(config: dict[str, Any], threads: int, perturb: int | None) -> dict[str, Any]:
    """Train in this process and return what JSON can hold."""
    from residual_regression.training import train

    from reproof.bundle.training import TrainingRequest, run_training
    from reproof.bundle.weights import digest_weights
    from reproof.reproducing.worker import read_losses

    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "trace"
        request = TrainingRequest(
            seed=config["training"]["seed"], project=PROJECT, trace=trace, num_threads=threads, perturb=perturb
        )
        outcome = run_training(train, config, request)
        losses = [loss.hex() for loss in read_losses(trace)]
    return {"metrics": spell_hex(outcome.metrics), "losses": losses, "weights": digest_weights(outcome.last)}


def train_all(num_trainings: int, num_perturbations: int) -> None:
    """Train every configuration in these surroundings; print a line of JSON for each run."""
    sys.path.insert(0, str(PROJECT))
    threads = int(os.environ.get("THREADS", THREADS))
    for number in range(num_trainings):
        config = draw_config(number)
        runs: list[tuple[str, dict[str, Any], int | None]] = [("original", config, None)]
        if num_perturbations:
            runs += [(f"perturbation {i}", config, i) for i in range(num_perturbations)]
            runs += [(name, change(config, factors), None) for name, factors in CHANGES.items()]
        for name, settings, perturb in runs:
            print(json.dumps({"number": number, "name": name, **train_once(settings, threads, perturb)}), flush=True)


def change(config: dict[str, Any], factors: dict[str, float]) -> dict[str, Any]:
    """Return a configuration with some settings of its training multiplied."""
    training = dict(config["training"])
    for name, factor in factors.items():
        training[name] = training[name] + 1_000_003 if name == "seed" else training[name] * factor
    return {**config, "training": training}


def collect(num_trainings: int, num_perturbations: int) -> list[dict[str, Any]]:
    """Train in all surroundings, each a fresh process, and return every run."""
    found = []
    for name, variables in {"": {}, **ROUNDING}.items():
        print(name or "as in the bundle, perturbed and changed", file=sys.stderr, flush=True)
        counts = [str(num_trainings), str(0 if name else num_perturbations)]
        done = subprocess.run(
            [sys.executable, "-W", "ignore", __file__, "--train", *counts],
            env={**os.environ, "OMP_WAIT_POLICY": "passive", **variables},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        for line in done.stdout.splitlines():
            run = json.loads(line)
            found.append({**run, "name": name or run["name"]})
    return found


def read_run(values: dict[str, Any]) -> Run:
    """Return a run that was kept."""
    losses = tuple(map(float.fromhex, values["losses"]))
    return Run(metrics=read_metrics(values["metrics"]), losses=losses, weights=values["weights"])


def judge_run(original: Run, run: Run, perturbations: list[Run]) -> str:
    """Return ``same`` bits, ``equivalent``, or what took that away: ``onset``, ``metrics`` or ``both``."""
    first, second = (
        Evidence(metrics=r.metrics, seed=0, weights_digest=r.weights, trace_digest=r.weights, losses=r.losses)
        for r in (original, run)
    )
    kept = tuple(Perturbation(losses=p.losses, metrics=p.metrics) for p in perturbations)
    result = judge(first, second, Reference(margins={}, perturbations=kept))
    if result.verdict in {"identical", "equivalent"}:
        return "same" if result.verdict == "identical" else "equivalent"
    is_outside = any(row.finding != "within noise" for row in result.per_target)
    is_early = result.early_losses is not None and not result.early_losses.is_within
    return "both" if is_early and is_outside else "onset" if is_early else "metrics"


def judge_all(runs: list[dict[str, Any]], num_perturbations: int) -> dict[str, list[str]]:
    """Return what was found of each kind of run."""
    found: dict[str, list[str]] = {name: [] for name in WHATS}
    for number in sorted({run["number"] for run in runs}):
        named = {run["name"]: read_run(run) for run in runs if run["number"] == number}
        noise = [run for name, run in named.items() if name.startswith("perturbation ")]
        used, others = noise[:num_perturbations], noise[num_perturbations:]
        for name in WHATS:
            if name in named:
                found[name].append(judge_run(named["original"], named[name], used))
        found[MORE] += [judge_run(named["original"], run, used) for run in others]
    return found


def show(found: dict[str, list[str]], num_perturbations: int) -> None:
    """Print one table."""
    print(
        f"\n{num_perturbations} perturbation runs"
        + " " * 16
        + "runs  same bits  equivalent  else: onset  metrics  both"
    )
    for name, kinds in found.items():
        if kinds:
            counts = [kinds.count(kind) for kind in ("same", "equivalent", "onset", "metrics", "both")]
            share = counts[1] / max(1, len(kinds) - counts[0])
            print(
                f"{WHATS[name]:9} {name:28} {len(kinds):4d} {counts[0]:10d} {counts[1]:5d} {share:4.0%} "
                f"{counts[2]:12d} {counts[3]:8d} {counts[4]:5d}"
            )


def main() -> None:
    """Print a table for each number of perturbation runs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--trainings", type=int, default=24)
    parser.add_argument("--perturbations", default="5,10,15", help="numbers of perturbation runs; five more are made")
    parser.add_argument("--keep", type=Path, help="file for what the runs have left")
    parser.add_argument("--from", dest="kept", type=Path, help="judge runs that were kept")
    parser.add_argument("--train", nargs=2, type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.train:
        train_all(*options.train)
        return
    numbers = [int(number) for number in options.perturbations.split(",")]
    runs = json.loads(options.kept.read_text()) if options.kept else collect(options.trainings, max(numbers) + 5)
    if options.keep:
        options.keep.write_text(json.dumps(runs))
    for number in numbers:
        show(judge_all(runs, number), number)


if __name__ == "__main__":
    main()

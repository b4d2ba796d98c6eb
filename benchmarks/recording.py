"""What recording costs: steps with and without it, in alternation, as a ratio.

    python benchmarks/recording.py [--workloads mlp convnet] [--rounds 40]

Each round trains a block of steps without and a block with recording, in changing order, on the same model in
the same process; the ratio of a round cancels what the machine was doing meanwhile. Printed are the medians.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from itertools import islice
from pathlib import Path

import torch

import reproof
from workloads import WORKLOADS, Workload

BLOCK_SECONDS = 0.25


def time_block(workload: Workload, num_steps: int) -> float:
    """Train a block of steps; return the seconds of one."""
    steps = workload.steps()
    next(steps)
    start = time.perf_counter()
    for _ in islice(steps, num_steps):
        pass
    return (time.perf_counter() - start) / num_steps


def time_recorded(workload: Workload, num_steps: int, folder: Path, level: str) -> float:
    """Train a block of recorded steps; return the seconds of one."""
    with reproof.record(folder, level=level, force=True):
        return time_block(workload, num_steps)


def measure(workload: Workload, rounds: int, level: str, folder: Path) -> tuple[float, float, float]:
    """Return the median step in seconds, the median ratio recorded/plain, and the bytes a step leaves."""
    num_steps = max(2, int(BLOCK_SECONDS / time_block(workload, 3)))
    plain: list[float] = []
    ratios: list[float] = []
    for i in range(rounds):
        if i % 2:
            recorded = time_recorded(workload, num_steps, folder, level)
            plain.append(time_block(workload, num_steps))
        else:
            plain.append(time_block(workload, num_steps))
            recorded = time_recorded(workload, num_steps, folder, level)
        ratios.append(recorded / plain[-1])
    num_bytes = sum(path.stat().st_size for path in folder.glob("rank*")) / (num_steps + 1)
    return statistics.median(plain), statistics.median(ratios), num_bytes


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workloads", nargs="+", choices=WORKLOADS, default=list(WORKLOADS))
    parser.add_argument("--levels", nargs="+", default=["batches"])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    print(f"{'workload':<10} {'level':<9} {'step':>10} {'cost':>8} {'bytes/step':>11}")
    with tempfile.TemporaryDirectory() as folder:
        for name in options.workloads:
            workload = WORKLOADS[name]()
            for level in options.levels:
                step, ratio, num_bytes = measure(workload, options.rounds, level, Path(folder) / "run")
                print(
                    f"{name:<10} {level:<9} {step * 1e3:8.2f}ms {100 * (ratio - 1):+7.2f}% {num_bytes:11.0f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()

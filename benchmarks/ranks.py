"""What recording costs each rank of a data-parallel training, beside what it costs one process, as ratios.

    python benchmarks/ranks.py [--workload mlp] [--ranks 1 2] [--rounds 10] [--steps 100] [--repeats 2]

Ranks are processes on this machine that synchronise their gradients over gloo, one thread each; have as many cores. As
in `recording.py`, each rank trains blocks of steps with and without recording in changing order, all ranks the same at
the same time, and takes the ratio of each round. Printed are medians, the highest of all ranks, in each repeat.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import tempfile
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from recording import time_block, time_recorded
from workloads import WORKLOADS, Workload

NUM_FIRST = 1
SECONDS, RATIO = range(2)


def make_workload(name: str, num_ranks: int) -> Workload:
    """Return a training, in data parallel if there are several ranks."""
    workload = WORKLOADS[name]()
    if num_ranks == 1:
        return workload
    return dataclasses.replace(workload, model=torch.nn.parallel.DistributedDataParallel(workload.model))


def measure(workload: Workload, rank: int, options: argparse.Namespace, folder: Path) -> tuple[float, float]:
    """Return the median seconds of a plain step, and the median ratio recorded/plain."""
    plain, ratios = [], []
    time_block(workload, options.steps)
    for number in range(options.rounds):
        seconds = {}
        for is_recorded in (False, True) if number % 2 else (True, False):
            if is_recorded:
                run = folder / f"run{rank}"
                seconds[True] = time_recorded(workload, options.steps, run, "steps", NUM_FIRST)
            else:
                seconds[False] = time_block(workload, options.steps, NUM_FIRST)
        plain.append(seconds[False])
        ratios.append(seconds[True] / seconds[False])
    return statistics.median(plain), statistics.median(ratios)


def work(rank: int, num_ranks: int, options: argparse.Namespace, folder: Path) -> None:
    """Be one rank, and leave its result in a file."""
    torch.set_num_threads(1)
    if num_ranks > 1:
        store = dist.FileStore(str(folder / "store"), num_ranks)
        dist.init_process_group("gloo", store=store, rank=rank, world_size=num_ranks)
    result = measure(make_workload(options.workload, num_ranks), rank, options, folder)
    torch.save(result, folder / f"result{rank}.pt")
    if num_ranks > 1:
        dist.destroy_process_group()


def main() -> None:
    """Measure each number of ranks in turn, several times, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workload", choices=WORKLOADS, default="mlp")
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=2)
    options = parser.parse_args()
    print("{:>6} {:>6} {:>9} {:>7}".format("repeat", "ranks", "step ms", "cost %"))
    for repeat in range(options.repeats):
        for num_ranks in options.ranks:
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                mp.spawn(work, args=(num_ranks, options, folder), nprocs=num_ranks)
                results = [torch.load(folder / f"result{rank}.pt") for rank in range(num_ranks)]
            seconds, ratio = (max(result[part] for result in results) for part in (SECONDS, RATIO))
            print(f"{repeat:6d} {num_ranks:6d} {1000 * seconds:9.2f} {100 * (ratio - 1):7.1f}", flush=True)


if __name__ == "__main__":
    main()

"""What recording costs: steps with and without it, in alternation, as a ratio.

    python benchmarks/recording.py [--workloads mlp gpt] [--levels batches steps debug-mode] [--rounds 20] [--threads 1]

Each round trains a block of steps without and a block with recording, in changing order, on the same model in the same
process; the ratio of a round cancels what the machine was doing meanwhile. Printed are medians. `debug-mode` is
PyTorch's own `DebugMode` with hashes of all tensors, for comparison: `ops` is to cost half of it at most. `hashing` is
the least that `steps` can cost: gradients, parameters and optimizer state are hashed and the digests thrown away.
`memory` is what the peak of the process grows by.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch.utils._debug_mode import DebugMode
from workloads import WORKLOADS, Workload
from xxhash import xxh3_128_digest

import reproof
from reproof.digest.hashing import HOST_MEMORY
from reproof.trace import open_trace

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK_SECONDS = 0.25
QUICK_SECONDS = 0.004
NUM_FIRST = 300
"""Steps before a block of quick ones: a recording explains the first 256 batches of a loader at some cost more."""

NUM_PROCESSES = 3
PEAK_STEPS = 10

LEVELS = ("batches", "steps", "modules", "ops", "hashing", "debug-mode")
NOT_RECORDED = ("hashing", "debug-mode")


def time_block(workload: Workload, num_steps: int, num_first: int = 1) -> float:
    """Train a block of steps after some first ones; return the seconds of one."""
    steps = workload.steps()
    for _ in islice(steps, num_first):
        pass
    start = time.perf_counter()
    for _ in islice(steps, num_steps):
        pass
    return (time.perf_counter() - start) / num_steps


def time_recorded(workload: Workload, num_steps: int, folder: Path, level: str, num_first: int) -> float:
    """Train a block of recorded steps; return the seconds of one."""
    if level == "debug-mode":
        with DebugMode(), DebugMode.log_tensor_hashes():
            return time_block(workload, num_steps)
    if level == "hashing":
        with hash_only(workload.optimizer):
            return time_block(workload, num_steps, num_first)
    with reproof.record(folder, level=level, force=True):
        return time_block(workload, num_steps, num_first)


@contextmanager
def hash_only(optimizer: torch.optim.Optimizer) -> Iterator[None]:
    """Hash what level `steps` hashes of an optimizer, where it lies, and do nothing with it."""
    held: list[memoryview] = []

    def before(*_: object) -> None:
        hash_all([view_of(parameter.grad) for parameter in parameters])

    def after(*_: object) -> None:
        if not held:
            states = (value for state in optimizer.state.values() for value in state.values())
            held.extend(view_of(tensor) for tensor in (*parameters, *states) if isinstance(tensor, torch.Tensor))
        hash_all(held)

    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    hooks = optimizer.register_step_pre_hook(before), optimizer.register_step_post_hook(after)
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def view_of(tensor: torch.Tensor) -> memoryview:
    """Return the bytes of a contiguous tensor in host memory."""
    return HOST_MEMORY[tensor.data_ptr() : tensor.data_ptr() + tensor.nbytes]


def hash_all(memories: list[memoryview]) -> None:
    """Hash and forget."""
    list(map(xxh3_128_digest, memories))


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What recording costs.

    Attributes:
        step_seconds: Median of a step without recording.
        ratio: Median of the ratios recorded/plain.
        bytes_per_step: What a step adds to the trace.
        bytes_per_digest: The same per digest.
        memory_mib: What the peak memory of a process grows by.
    """

    step_seconds: float
    ratio: float
    bytes_per_step: float
    bytes_per_digest: float
    memory_mib: float


def measure(workload: Workload, rounds: int, level: str, folder: Path) -> Cost:
    """Measure blocks with and without recording in alternation."""
    seconds = time_block(workload, 5)
    num_steps = max(2, int(BLOCK_SECONDS / seconds))
    num_first = NUM_FIRST if seconds < QUICK_SECONDS else 1
    plain: list[float] = []
    ratios: list[float] = []
    for i in range(rounds):
        if i % 2:
            recorded = time_recorded(workload, num_steps, folder, level, num_first)
            plain.append(time_block(workload, num_steps, num_first))
        else:
            plain.append(time_block(workload, num_steps, num_first))
            recorded = time_recorded(workload, num_steps, folder, level, num_first)
        ratios.append(recorded / plain[-1])
    num_bytes, num_digests = (0.0, 1) if level in NOT_RECORDED else size_of(folder)
    return Cost(
        step_seconds=statistics.median(plain),
        ratio=statistics.median(ratios),
        bytes_per_step=num_bytes / (num_steps + num_first),
        bytes_per_digest=num_bytes / num_digests,
        memory_mib=measure_memory(workload.name, level),
    )


def measure_memory(name: str, level: str) -> float:
    """Return by how many MiB recording raises the peak memory of a training."""
    peaks: dict[str, list[int]] = {"none": [], level: []}
    for _ in range(NUM_PROCESSES):
        for mode, found in peaks.items():
            command = [sys.executable, __file__, "--peak-of", name, mode]
            found.append(int(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
    return (statistics.median(peaks[level]) - statistics.median(peaks["none"])) / 1024


def print_peak(name: str, level: str) -> None:
    """Train for some steps and print the peak memory of this process in KiB."""
    workload = WORKLOADS[name]()
    with tempfile.TemporaryDirectory() as folder:
        if level == "none":
            time_block(workload, PEAK_STEPS)
        else:
            time_recorded(workload, PEAK_STEPS, Path(folder) / "run", level, 1)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def size_of(folder: Path) -> tuple[float, int]:
    """Return the bytes of a trace that grow with its length, and its digests: of events, generators and samples."""
    trace = open_trace(folder).ranks[0]
    parts = ("digests", "values", "frames", *(("ops",) if (folder / "rank0.ops").exists() else ()))
    num_bytes = sum((folder / f"rank0.{part}").stat().st_size for part in parts)
    beside = 0
    for number in range(len(trace)):
        for (_, kind), numbers in trace.numbers(number).items():
            beside += {"rng": len(numbers.values) // 2, "samples": len(numbers.values)}.get(kind, 0)
    return num_bytes, trace.num_events + beside


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workloads", nargs="+", choices=WORKLOADS, default=list(WORKLOADS))
    parser.add_argument("--levels", nargs="+", choices=LEVELS, default=list(LEVELS))
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--peak-of", nargs=2, metavar=("WORKLOAD", "LEVEL"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak_of:
        print_peak(*options.peak_of)
        return
    if options.threads:
        torch.set_num_threads(options.threads)
    head = ("workload", "level", "step ms", "cost %", "bytes/step", "bytes/digest", "memory MiB")
    print("{:<14} {:<10} {:>8} {:>8} {:>11} {:>13} {:>11}".format(*head))
    with tempfile.TemporaryDirectory() as folder:
        for name in options.workloads:
            workload = WORKLOADS[name]()
            for level in options.levels:
                cost = measure(workload, options.rounds, level, Path(folder) / "run")
                print(
                    f"{name:<14} {level:<10} {cost.step_seconds * 1e3:8.2f} {100 * (cost.ratio - 1):+8.2f} "
                    f"{cost.bytes_per_step:11.0f} {cost.bytes_per_digest:13.1f} {cost.memory_mib:11.1f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()

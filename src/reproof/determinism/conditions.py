"""Read which conditions of determinism hold in the running process; nothing is set, drawn or initialised.

Each function below reads one condition. `docs/determinism.md` explains them for users, in the same order and under
the same names.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Final

import torch
import torch.utils.deterministic

from reproof.determinism.hash_seed import describe_hash_seed
from reproof.determinism.precision import cudnn_uses_tf32, read_matmul_precision
from reproof.determinism.request import in_force
from reproof.determinism.variables import (
    CUBLAS_WORKSPACE,
    DETERMINISTIC_WORKSPACES,
    THREAD_COUNTS,
    notice_workspace,
)
from reproof.hash_seed import HASH_SEED, pinned_hash_seed, started_with

_TORCH_DOCS: Final = "https://docs.pytorch.org/docs/stable"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionState:
    """One condition of determinism, as it is in this process at the moment of reading.

    Attributes:
        name: Short stable name, e.g. ``hash-seed``.
        state: What is the case, in a few words.
        holds: Whether the condition holds; None where it does not apply (no GPU) or cannot be read back.
        why: What it protects from, in one sentence.
        how: What to type to make it hold.
        source: Where PyTorch, NVIDIA or Python document it.
    """

    name: str
    state: str
    holds: bool | None
    why: str
    how: str
    source: str


def conditions() -> tuple[ConditionState, ...]:
    """Read all conditions of the current process, without changing any.

    GPUs are counted without initialising CUDA, as `torch.cuda.device_count` does where the driver's NVML answers.
    """
    has_gpu = torch.cuda.device_count() > 0
    return (
        _read_seeds(),
        _read_algorithms(),
        _read_memory_filling(),
        _read_cudnn_deterministic(has_gpu=has_gpu),
        _read_cudnn_benchmark(has_gpu=has_gpu),
        _read_cudnn_tf32(has_gpu=has_gpu),
        _read_matmul_precision(),
        _read_cublas_workspace(has_gpu=has_gpu),
        _read_num_threads(),
        _read_hash_seed(),
    )


def _read_seeds() -> ConditionState:
    torch_seed = torch.initial_seed()
    holds: bool | None = None
    state = f"torch has seed {torch_seed}; those of random and numpy cannot be read back"
    if in_force:
        seed = in_force[-1].seed
        holds = torch_seed == seed
        state = f"seeded with {seed}" if holds else f"seeded with {seed}, and torch with {torch_seed} since"
    return ConditionState(
        name="seeds",
        state=state,
        holds=holds,
        why="Initial weights, shuffling, dropout and augmentation are drawn from the generators of random, numpy and "
        "torch, which start from a random seed unless they are given one.",
        how="reproof.deterministic(seed=42), once, before anything is drawn",
        source=f"{_TORCH_DOCS}/notes/randomness.html#controlling-sources-of-randomness",
    )


def _read_algorithms() -> ConditionState:
    enabled = torch.are_deterministic_algorithms_enabled()
    warn_only = enabled and torch.is_deterministic_algorithms_warn_only_enabled()
    return ConditionState(
        name="deterministic-algorithms",
        state="off" if not enabled else "on, but only warns" if warn_only else "on",
        holds=enabled and not warn_only,
        why="Some operations have a faster nondeterministic implementation, and some have no other: these raise an "
        "error when the setting is on, and run nondeterministically when it only warns.",
        how="torch.use_deterministic_algorithms(True)",
        source=f"{_TORCH_DOCS}/generated/torch.use_deterministic_algorithms.html",
    )


def _read_memory_filling() -> ConditionState:
    memory: Any = torch.utils.deterministic
    filled = bool(memory.fill_uninitialized_memory)
    enabled = torch.are_deterministic_algorithms_enabled()
    return ConditionState(
        name="filled-memory",
        state="off" if not filled else "on" if enabled else "on, without effect while deterministic algorithms are off",
        holds=filled and enabled,
        why="torch.empty returns what the memory held before; a program that reads it before writing it computes with "
        "garbage. A valid program does not need this, and pays for it.",
        how="torch.utils.deterministic.fill_uninitialized_memory = True",
        source=f"{_TORCH_DOCS}/deterministic.html",
    )


def _read_cudnn_deterministic(*, has_gpu: bool) -> ConditionState:
    enabled = torch.backends.cudnn.deterministic
    return ConditionState(
        name="cudnn-deterministic",
        state="on" if enabled else "off",
        holds=bool(enabled) if has_gpu else None,
        why="cuDNN may pick convolution algorithms that add in an order that changes from run to run.",
        how="torch.backends.cudnn.deterministic = True",
        source=f"{_TORCH_DOCS}/notes/randomness.html#cuda-convolution-determinism",
    )


def _read_cudnn_benchmark(*, has_gpu: bool) -> ConditionState:
    enabled = torch.backends.cudnn.benchmark
    return ConditionState(
        name="cudnn-benchmark-off",
        state="benchmarking is on" if enabled else "benchmarking is off",
        holds=not enabled if has_gpu else None,
        why="Benchmarking picks the convolution algorithm that was fastest just now, which may be another one in the "
        "next run.",
        how="torch.backends.cudnn.benchmark = False",
        source=f"{_TORCH_DOCS}/notes/randomness.html#cuda-convolution-benchmarking",
    )


def _read_cudnn_tf32(*, has_gpu: bool) -> ConditionState:
    allowed = cudnn_uses_tf32()
    forced = os.environ.get("NVIDIA_TF32_OVERRIDE") == "1"
    return ConditionState(
        name="cudnn-tf32-off",
        state="forced by NVIDIA_TF32_OVERRIDE=1" if forced else "TF32 is allowed" if allowed else "TF32 is off",
        holds=not (allowed or forced) if has_gpu else None,
        why="TF32 keeps 10 bits of a float32's 23 where the GPU has it: the same run gives other numbers on a GPU "
        "without it. On one and the same GPU it does reproduce.",
        how="torch.backends.cudnn.allow_tf32 = False",
        source=f"{_TORCH_DOCS}/notes/cuda.html#tensorfloat-32-tf32-on-ampere-and-later-devices",
    )


def _read_matmul_precision() -> ConditionState:
    precision = read_matmul_precision()
    return ConditionState(
        name="matmul-precision",
        state=precision,
        holds=precision == "highest",
        why="Below highest, float32 matrix products are computed in TF32 or bfloat16 where the processor has them, so "
        "that the same run gives other numbers on another processor.",
        how='torch.set_float32_matmul_precision("highest")',
        source=f"{_TORCH_DOCS}/generated/torch.set_float32_matmul_precision.html",
    )


def _read_cublas_workspace(*, has_gpu: bool) -> ConditionState:
    seen, present = notice_workspace(), os.environ.get(CUBLAS_WORKSPACE)
    state = "not set" if seen is None else f"{CUBLAS_WORKSPACE}={seen}"
    if seen != present:
        state = f"{state} when CUDA was initialised; {present or 'unset'} came too late"
    return ConditionState(
        name="cublas-workspace",
        state=state,
        holds=seen in DETERMINISTIC_WORKSPACES if has_gpu and torch.version.cuda is not None else None,
        why="With several streams cuBLAS may pick another workspace, and with it another algorithm, each time; older "
        "PyTorch refuses matrix products on the GPU without this, newer ones take their workspace size from it.",
        how=f"start python with {CUBLAS_WORKSPACE}=:4096:8 in its environment, or set it before CUDA is initialised",
        source="https://docs.nvidia.com/cuda/cublas/index.html#results-reproducibility",
    )


def _read_num_threads() -> ConditionState:
    count = torch.get_num_threads()
    origins = [f"set by {name}" for name in THREAD_COUNTS if started_with(name) == str(count)]
    if any(request.num_threads == count for request in in_force):
        origins.insert(0, "set by reproof.deterministic")
    return ConditionState(
        name="num-threads",
        state=f"{count} ({origins[0] if origins else 'nothing seen to set it'})",
        holds=bool(origins),
        why="The number of threads decides how sums are split, and with it their last bits; unless it is set it is the "
        "machine's number of cores.",
        how="reproof.deterministic(num_threads=4), or start python with OMP_NUM_THREADS=4 in its environment",
        source=f"{_TORCH_DOCS}/generated/torch.set_num_threads.html",
    )


def _read_hash_seed() -> ConditionState:
    return ConditionState(
        name="hash-seed",
        state=describe_hash_seed(),
        holds=pinned_hash_seed() is not None,
        why="The order in which a set of strings is walked follows their hashes, which change with every start of "
        "Python; a running process cannot change its own.",
        how=f"start python with {HASH_SEED}=0 in its environment: {HASH_SEED}=0 python train.py",
        source=f"https://docs.python.org/3/using/cmdline.html#envvar-{HASH_SEED}",
    )

"""The environment variables of determinism, and what they were when it mattered.

A variable that is read once (the hash seed when Python starts, the cuBLAS workspace when CUDA does) says nothing by
its present value. So this module keeps what it was: from the block of variables that Linux keeps of the start of a
process (`reproof.hash_seed`), and from looking before CUDA is initialised.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import torch

from reproof.hash_seed import HASH_SEED, variables_at_start

if TYPE_CHECKING:
    from contextlib import ExitStack

CUBLAS_WORKSPACE: Final = "CUBLAS_WORKSPACE_CONFIG"
THREAD_COUNTS: Final = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
DETERMINISTIC_WORKSPACES: Final = (":4096:8", ":16:8")
"""The two values that NVIDIA names: https://docs.nvidia.com/cuda/cublas/index.html#results-reproducibility."""

_workspace_before_cuda: str | None = (variables_at_start or {}).get(CUBLAS_WORKSPACE)


def notice_workspace() -> str | None:
    """Return the cuBLAS workspace setting that CUDA has seen or will see, as far as that is known.

    Effects: While CUDA is not initialised, remembers the variable's present value.
    """
    global _workspace_before_cuda  # noqa: PLW0603  (a fact about the process, not about a caller)
    if not _cuda_is_initialized():
        _workspace_before_cuda = os.environ.get(CUBLAS_WORKSPACE)
    return _workspace_before_cuda


def pin_workspace(undo: ExitStack) -> None:
    """Set a deterministic cuBLAS workspace for this process and its children, if it is not too late for it.

    Effects: ``CUBLAS_WORKSPACE_CONFIG``, unless CUDA is initialised or it already has a deterministic value.
    """
    if _cuda_is_initialized() or os.environ.get(CUBLAS_WORKSPACE) in DETERMINISTIC_WORKSPACES:
        return
    _set_variable(CUBLAS_WORKSPACE, DETERMINISTIC_WORKSPACES[0], undo)
    notice_workspace()


def pin_hash_seed_of_children(seed: int, undo: ExitStack) -> None:
    """Set the hash seed for processes started from here on; this process keeps the one that it started with.

    Effects: ``PYTHONHASHSEED``, unless it is already a number.
    """
    if not os.environ.get(HASH_SEED, "").isdecimal():
        _set_variable(HASH_SEED, str(seed), undo)


def _set_variable(name: str, value: str, undo: ExitStack) -> None:
    undo.callback(_restore_variable, name, os.environ.get(name))
    os.environ[name] = value


def _restore_variable(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


def _cuda_is_initialized() -> bool:
    cuda: Any = torch.cuda
    return bool(cuda.is_initialized())


notice_workspace()  # importing this module before CUDA is initialised is the earliest look that can be had

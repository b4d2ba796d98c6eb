"""Circumstances under which an operation is executed for a probe, put back afterwards."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def isolated() -> Iterator[None]:
    """Execute operations without modes, transformations and autograd; restore the generator of random numbers."""
    state = torch.default_generator.get_state()
    try:
        with (
            torch._C.DisableTorchFunction(),  # noqa: SLF001  # modes too
            torch._C._DisableTorchDispatch(),  # noqa: SLF001
            torch._C._DisableFuncTorch(),  # noqa: SLF001
            torch.no_grad(),
        ):
            yield
    finally:
        torch.default_generator.set_state(state)


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one thread. Effects: sets the number of threads, and back."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def deterministic_algorithms() -> Iterator[None]:
    """Make PyTorch use deterministic algorithms, or raise RuntimeError where it has none.

    Effects: sets PyTorch's flag, and back.
    """
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    set_flag: Callable[..., None] = torch._C._set_deterministic_algorithms  # noqa: SLF001  # the public one imports the compiler
    set_flag(True, warn_only=False)
    try:
        yield
    finally:
        set_flag(before[0], warn_only=before[1])

"""Find out what a recording must know of its process before it starts: is there PyTorch, and which rank is it."""

from __future__ import annotations

import importlib.util
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from reproof.errors import DependencyError, UsageError

if TYPE_CHECKING:
    from reproof.schema import Origin


def require_torch() -> None:
    """Check that PyTorch is installed, without importing it. Raises DependencyError if it is not."""
    if "torch" not in sys.modules and importlib.util.find_spec("torch") is None:
        raise DependencyError("PyTorch is not installed", "pip install 'reproof[torch]'")


def rank_of_process() -> int:
    """Return this process's rank as torchrun and its like set it; 0 for a training in one process."""
    return _environment_number("RANK", 0) if world_size() > 1 else 0


def world_size() -> int:
    """Return how many processes train together, as torchrun and its like set it."""
    return max(1, _environment_number("WORLD_SIZE", 1))


def name_rank(origin: Origin) -> Origin:
    """Return where this process comes from with its rank, as `torch.distributed` or its launcher has set it."""
    distributed = sys.modules.get("torch.distributed")
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        rank, size = distributed.get_rank(), distributed.get_world_size()
    else:
        rank, size = rank_of_process(), world_size()
    if size == 1:
        return origin
    return replace(origin, rank=rank, restart=max(0, _environment_number("TORCHELASTIC_RESTART_COUNT", 0)))


def _environment_number(name: str, default: int) -> int:
    try:
        return int(os.environ.get(name, default))
    except ValueError:
        return default


def require_device(name: str) -> None:
    """Check that a device can be used: a training that ignores a missing one would be judged as if it had run there.

    Raises UsageError if PyTorch does not know the device, or nothing can be put on it.
    """
    import torch

    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:  # which one, depends on the device
        reason = str(error).partition("\n")[0]
        raise UsageError(f"device {name!r} is not to be had: {reason}", "name another with --device") from None

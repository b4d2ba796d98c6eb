"""Tell when tensors have no data, because a compiler or a `torch.func` transformation traces them."""

from __future__ import annotations

import torch
from torch._guards import TracingContext


def is_tracing() -> bool:
    """Whether a compiler's backend is at work."""
    return TracingContext.try_get() is not None


def is_transformed() -> bool:
    """Whether a compiler's backend or a `torch.func` transformation is at work."""
    return torch._C._functorch.peek_interpreter_stack() is not None or is_tracing()  # noqa: SLF001  # no public test


def without_transforms(tensor: torch.Tensor) -> torch.Tensor:
    """Return the tensor inside of those that `torch.func` wraps around it; the tensor itself if there are none."""
    while torch._C._functorch.is_functorch_wrapped_tensor(tensor):  # noqa: SLF001  # no public test or getter
        tensor = torch._C._functorch.get_unwrapped(tensor)  # noqa: SLF001
    return tensor

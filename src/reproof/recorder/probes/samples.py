"""Keep the samples of one batch as small pictures: only where the user has asked for it.

Left out: what is neither an image nor a signal (labels, numbers of tokens, boxes).
"""

from __future__ import annotations

from array import array
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import torch

from reproof.recorder.probes.poison_hooks import as_tensor
from reproof.trace.probes import KeptSamples, write_samples

if TYPE_CHECKING:
    from reproof.recorder.context import Context
    from reproof.schema import Stage

MAX_SAMPLES: Final = 64
MAX_SIDE: Final = 24
"""Pixels of an image along each side; of a larger one every n-th is kept."""

MAX_POINTS: Final = 128
"""Of a signal."""

MAX_CHANNELS: Final = 4
DIMENSIONS: Final = (2, 3, 4)
"""Of a batch of signals, of images, and of those with channels."""


class SampleKeeper:
    """Keeps the first images or signals that a loader gives in one step."""

    def __init__(self, context: Context, step: int, rank: int) -> None:
        """Look at each event until they have come."""
        self._context = context
        self._step = step
        self._rank = rank
        context.evidence.look = self.look

    def look(self, stage: Stage, name: str, value: Any) -> None:
        """Keep a part of a batch, if it is of the step and can be shown."""
        if stage != "batch" or self._context.frames.step != self._step:
            return
        with self._context.problems.guard("samples"):
            tensor = as_tensor(value)
            kept = None if tensor is None else shrink(name, tensor)
            if kept is not None:
                self._context.evidence.look = None
                write_samples(self._context.folder, self._rank, replace(kept, step=self._step))


def shrink(name: str, tensor: torch.Tensor) -> KeptSamples | None:
    """Return a batch of images or signals with at most so many numbers each; None if it has neither.

    Samples lie along dimension 0: signals ``(B, N)``, images ``(B, H, W)``, and images with channels, ``(B, C, H, W)``
    or ``(B, H, W, C)``, of which the mean is taken; of ``(B, C, N)`` the first channel.
    """
    if tensor.ndim not in DIMENSIONS or not (tensor.is_floating_point() or tensor.dtype == torch.uint8):
        return None
    images = tensor.detach()[:MAX_SAMPLES].to("cpu", torch.float32)
    if images.ndim == max(DIMENSIONS):
        channels = next((i for i in (1, 3) if images.shape[i] <= MAX_CHANNELS), None)
        if channels is None:
            return None
        images = images.mean(channels)
    elif images.ndim == min(DIMENSIONS):
        images = images.unsqueeze(1)
    if images.shape[1] <= MAX_CHANNELS:
        images = images[:, :1]
    most = (1, MAX_POINTS) if images.shape[1] == 1 else (MAX_SIDE, MAX_SIDE)
    strides = [-(-size // limit) for size, limit in zip(images.shape[1:], most, strict=True)]
    images = images[:, :: max(strides[0], 1), :: max(strides[1], 1)]
    count, height, width = images.shape
    if not images.numel():
        return None
    values = array("f", images.flatten().tolist())
    return KeptSamples(name=name, count=count, height=height, width=width, values=values)

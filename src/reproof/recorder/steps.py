"""Count the steps of a training: a step ends when an optimizer has stepped.

Without any `torch.optim` optimizer in the process, a step ends with each `backward()`.
"""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import torch
from torch.optim.optimizer import Optimizer, register_optimizer_step_post_hook

if TYPE_CHECKING:
    from collections.abc import Callable

    from reproof.recorder.session import Recording


class StepHooks:
    """The hooks on optimizers and `backward` of one recording."""

    def __init__(self, recording: Recording) -> None:
        """Hook all optimizers, those that exist and those to come."""
        self._recording = recording
        self._has_optimizer = any(issubclass(type(thing), Optimizer) for thing in gc.get_objects())
        patches = recording.patches
        patches.replace(Optimizer, "__init__", self._wrap_optimizer_init)
        patches.replace(torch.autograd, "backward", self._wrap_backward)
        patches.on_restore(register_optimizer_step_post_hook(self._after_step).remove)

    def _wrap_optimizer_init(self, original: Callable[..., None]) -> Callable[..., None]:
        def init(*args: Any, **kwargs: Any) -> None:
            self._has_optimizer = True
            original(*args, **kwargs)

        return init

    @torch.compiler.disable  # type: ignore[untyped-decorator]  # PyTorch leaves it untyped
    def _after_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:  # noqa: ARG002
        if self._recording.is_active:
            with self._recording.guard("step"):
                self._recording.frames.end_step()

    def _wrap_backward(self, original: Callable[..., None]) -> Callable[..., None]:
        def backward(*args: Any, **kwargs: Any) -> None:
            original(*args, **kwargs)
            if not self._has_optimizer and self._recording.is_active:
                with self._recording.guard("step"):
                    self._recording.frames.end_step()

        return backward

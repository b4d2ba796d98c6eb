"""See the first moment at which a process trains or evaluates, at next to no cost until then.

The hooks of a recording look at every object there is, to find optimizers. In a forked process that would copy the
memory which it shares with its parent, for nothing if it never trains. This file imports PyTorch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch._functorch import eager_transforms
from torch.optim.optimizer import Optimizer

from reproof.recorder.models import is_model
from reproof.recorder.patches import Patches

if TYPE_CHECKING:
    from collections.abc import Callable


class Triggers:
    """Calls a function when a model is called, gradients are computed, or an optimizer is made or steps."""

    def __init__(self, fire: Callable[[], None]) -> None:
        """Wait for it.

        `fire` is called once or more, before what is about to happen. Effects: replaces functions of PyTorch until
        `disarm`.
        """
        self._fire = fire
        self._is_armed = True
        self._patches = Patches()
        self._patches.replace(torch.nn.Module, "__call__", self._wrap_call)
        places: list[tuple[Any, str]] = [
            (torch.autograd, "backward"),
            (torch.autograd, "grad"),
            (eager_transforms, "grad_and_value_impl"),
            (Optimizer, "__init__"),
        ]
        # An optimizer that was made before a fork may step without any of these. A hook of PyTorch's on steps would not
        # do: while it is called, no other can be added.
        places += [(kind, "step") for kind in list_optimizers() if "step" in vars(kind)]
        for owner, name in places:
            self._patches.replace(owner, name, self._wrapper(owner, name))

    def disarm(self) -> None:
        """Wait no longer, and put the functions back."""
        self._is_armed = False
        self._patches.restore()

    def _wrap_call(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(module: torch.nn.Module, *args: Any, **kwargs: Any) -> Any:
            if torch.compiler.is_compiling() or not self._is_armed or not is_model(module):
                return original(module, *args, **kwargs)
            self._fire()
            return torch.nn.Module.__call__(module, *args, **kwargs)  # the hooks are there by now

        return call

    def _wrapper(self, owner: Any, name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
            def call(*args: Any, **kwargs: Any) -> Any:
                if torch.compiler.is_compiling() or not self._is_armed:
                    return original(*args, **kwargs)
                self._fire()
                return getattr(owner, name)(*args, **kwargs)

            return call

        return wrap


def list_optimizers() -> list[type]:
    """Return the classes of optimizers, at any depth."""
    found: list[type] = []
    waiting = [Optimizer]
    while waiting:
        kind = waiting.pop()
        if kind not in found:
            found.append(kind)
            waiting += type.__subclasses__(kind)
    return found

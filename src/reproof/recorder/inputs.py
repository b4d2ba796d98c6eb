"""See the inputs of the model when there is no `DataLoader`: they are then the batches of the training.

`torch.nn.Module.__call__` is replaced rather than hooked: a global forward pre-hook is not shown keyword arguments, and
any global hook makes the call of every submodule slower. As soon as a loader has delivered a batch, the
replacement is taken out again.
"""

from __future__ import annotations

import threading
import weakref
from collections import Counter
from typing import TYPE_CHECKING, Any

import torch

from reproof.recorder.patches import Patches

if TYPE_CHECKING:
    from collections.abc import Callable

    from reproof.recorder.session import Recording


class InputHooks:
    """The hook on module calls of one recording."""

    def __init__(self, recording: Recording) -> None:
        """Hook all modules, those that exist and those to come."""
        self._recording = recording
        self._thread = threading.local()
        self._is_wanted = True
        self._names: weakref.WeakKeyDictionary[torch.nn.Module, str] = weakref.WeakKeyDictionary()
        self._classes: Counter[str] = Counter()
        self._num_batches = 0
        self._patches = Patches()
        self._patches.replace(torch.nn.Module, "__call__", self._wrap_call)
        recording.patches.on_restore(self.remove)

    def remove(self) -> None:
        """Take the hook out: a loader delivers the batches."""
        self._patches.restore()
        self._is_wanted = False

    def _wrap_call(self, original: Callable[..., Any]) -> Callable[..., Any]:
        thread = self._thread

        def call(module: torch.nn.Module, *args: Any, **kwargs: Any) -> Any:
            if not self._is_wanted or getattr(thread, "is_inside", False) or not self._shows_batch(module):
                return original(module, *args, **kwargs)
            thread.is_inside = True
            try:
                with self._recording.guard("input"):
                    self._record(module, args, kwargs)
                return original(module, *args, **kwargs)
            finally:
                thread.is_inside = False

        return call

    def _shows_batch(self, module: torch.nn.Module) -> bool:
        """Whether this is a call of a model in training, outside of a compiler's tracing."""
        is_eager = not torch.compiler.is_compiling() and self._recording.is_active
        return is_eager and torch.is_grad_enabled() and is_model(module)

    def _record(self, module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        limit = self._recording.num_batches
        self._num_batches += 1
        if limit is not None and self._num_batches > limit:
            return
        name = self._names.get(module)
        if name is None:
            name = self._names[module] = self._name(module)
        for i, value in enumerate(args):
            self._recording.evidence.record_tree("batch", f"{name} input[{i}]", value, "content")
        for key, value in kwargs.items():
            self._recording.evidence.record_tree("batch", f"{name} input[{key!r}]", value, "content")

    def _name(self, module: torch.nn.Module) -> str:
        """Return the class of the module, numbered from the second of the class on."""
        kind = type(getattr(module, "_orig_mod", module)).__name__
        self._classes[kind] += 1
        return kind if self._classes[kind] == 1 else f"{kind}#{self._classes[kind]}"


def is_model(module: torch.nn.Module) -> bool:
    """Whether a module has parameters: a loss function called like a model is not one."""
    return next(module.parameters(), None) is not None

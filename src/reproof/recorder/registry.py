"""Names for modules, parameters and buffers: the model's class, then the module's own names.

``MLP.fc1.weight`` is parameter ``fc1.weight`` of the first model of class `MLP` that was called; ``MLP#2.fc1.weight``
belongs to the second. A tensor that several modules share keeps the name under which it was met first.
"""

from __future__ import annotations

import re
import weakref
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import torch
from torch.nn.modules import module as module_api
from torch.nn.parallel import DataParallel, DistributedDataParallel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reproof.recorder.names import KnownNames
    from reproof.recorder.patches import Patches


WRAPPED: Final = re.compile(r"(?:^|(?<=\.))(?:_orig_mod|_checkpoint_wrapped_module|_fsdp_wrapped_module)(?:\.|$)")
"""Parts of names that PyTorch adds where it wraps a module: they are not the model's own."""

MAX_NUMBERED = 32
"""Models of one class that get a name each; further ones share the last, as names are kept for ever."""


class Changes:
    """How often modules have changed since the recording began.

    Attributes:
        version: As `Registry.version`.
        buffers_version: As `Registry.buffers_version`.
    """

    def __init__(self, patches: Patches) -> None:
        """Begin to count. Effects: registers hooks of PyTorch until `patches` are restored."""
        self.version = 0
        self.buffers_version = 0
        for register, hook in (
            (module_api.register_module_parameter_registration_hook, self._on_registration),
            (module_api.register_module_module_registration_hook, self._on_registration),
            (module_api.register_module_buffer_registration_hook, self._on_buffer),
        ):
            patches.on_restore(register(hook).remove)

    def _on_registration(self, *_: Any) -> None:
        if not torch.compiler.is_compiling():  # else a number that changes would become part of the compiled model
            self.version += 1

    def _on_buffer(self, *_: Any) -> None:
        if not torch.compiler.is_compiling():  # as above
            self.buffers_version += 1


class Registry:
    """Names of the models of a training, and of what they hold.

    Attributes:
        known: The names of models and their modules, and of optimizers, by identity: of all trainings of a process.
    """

    def __init__(self, changes: Changes, known: KnownNames) -> None:
        """Start without models. `known` is where names are noted by identity."""
        self._changes = changes
        self._roots: weakref.WeakKeyDictionary[torch.nn.Module, str] = weakref.WeakKeyDictionary()
        self._parts: weakref.WeakKeyDictionary[torch.nn.Module, str] = weakref.WeakKeyDictionary()
        self._parameters: dict[int, tuple[weakref.ref[torch.Tensor], str]] = {}
        self._classes: Counter[str] = Counter()
        self.known = known

    def branch(self) -> Registry:
        """Return a registry for another training of the process, which numbers its models by itself."""
        return Registry(self._changes, self.known)

    @property
    def version(self) -> int:
        """Grows whenever a module gains a parameter or a part: lists made before are out of date."""
        return self._changes.version

    @property
    def buffers_version(self) -> int:
        """Grows whenever a module gains a buffer or is assigned one; some do so in every step."""
        return self._changes.buffers_version

    @property
    def roots(self) -> list[tuple[torch.nn.Module, str]]:
        """The models seen so far, in the order of their first call."""
        return list(self._roots.items())

    @property
    def num_roots(self) -> int:
        """How many models have been seen."""
        return len(self._roots)

    def add_root(self, module: torch.nn.Module) -> bool:
        """Name a model, its modules and parameters; return whether it is new."""
        if module in self._roots:
            return False
        self._roots[module] = self._parts.get(module) or self._new_name(module)
        self.add_names(module)
        return True

    def _new_name(self, module: torch.nn.Module) -> str:
        kind = type(unwrapped(module)).__name__
        self._classes[kind] = number = min(self._classes[kind] + 1, MAX_NUMBERED)
        return kind if number == 1 else f"{kind}#{number}"

    def add_names(self, module: torch.nn.Module) -> None:
        """Name the modules and parameters that a model holds now."""
        name = self._roots[module]
        self._parts.setdefault(module, name)
        for path, part in unwrapped(module).named_modules():
            self.known.note(part, self._parts.setdefault(part, f"{name}.{own_path(path)}".rstrip(".")))
        for path, parameter in unwrapped(module).named_parameters():
            self.name_parameter(parameter, f"{name}.{own_path(path)}")

    def name_parameter(self, parameter: torch.Tensor, name: str) -> str:
        """Return the name of a parameter, which is `name` unless it has one already."""
        known = self.find_parameter_name(parameter)
        if known is not None:
            return known
        self._parameters[id(parameter)] = (weakref.ref(parameter), name)
        return name

    def knows_parameter(self, parameter: torch.Tensor) -> bool:
        """Whether a parameter has a name."""
        return self.find_parameter_name(parameter) is not None

    def find_parameter_name(self, parameter: torch.Tensor) -> str | None:
        """Return the name of a parameter, or None if it has none."""
        known = self._parameters.get(id(parameter))
        return known[1] if known is not None and known[0]() is parameter else None

    def find_name(self, module: torch.nn.Module) -> str | None:
        """Return the name of a module, or None if it has none: unlike `name_of`, this names nothing."""
        return self._parts.get(module)

    def name_of(self, module: torch.nn.Module) -> str:
        """Return the name of a module; a module that belongs to no known model becomes a model."""
        name = self._parts.get(module)
        if name is None:  # a part that a known model gained since, or a model of its own
            for root, _ in self.roots:
                self.add_names(root)
            if module not in self._parts:
                self.add_root(module)
            name = self._parts[module]
        return name

    def parameters(self, module: torch.nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
        """Yield the parameters of a model with their names, each once."""
        return ((name, held[key]) for name, held, key, is_parameter in self.holdings(module) if is_parameter)

    def holdings(self, module: torch.nn.Module) -> Iterator[tuple[str, dict[str, Any], str, bool]]:
        """Yield the parameters and buffers of a model: name, where it is held, and whether it is a parameter.

        Each tensor is yielded once. A dict and a key tell where it is held, because it may be replaced at any time.
        """
        seen: set[int] = set()
        for path, part in unwrapped(module).named_modules():
            prefix = f"{self._roots[module]}.{own_path(path)}".rstrip(".") + "."
            for held, is_parameter in ((part._parameters, True), (part._buffers, False)):  # noqa: SLF001
                for key, value in held.items():
                    if value is not None and id(value) not in seen:
                        seen.add(id(value))
                        yield f"{prefix}{key}", held, key, is_parameter


def unwrapped(module: torch.nn.Module) -> torch.nn.Module:
    """Return the module that `torch.compile` or data parallelism has wrapped, or the module itself."""
    while True:
        inner = module.module if isinstance(module, (DataParallel, DistributedDataParallel)) else None
        inner = getattr(module, "_orig_mod", None) if inner is None else inner
        if not isinstance(inner, torch.nn.Module):
            return module
        module = inner


def own_path(path: str) -> str:
    """Return the path of a part of a model without what PyTorch adds where it wraps a module."""
    return WRAPPED.sub("", path).rstrip(".")

"""The tensors that a module or an optimizer holds itself: its parts hold their own.

Left out: attributes that are objects of other classes, and properties, which would run code of the user's.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch.optim.optimizer import Optimizer

Held = tuple[str, Any]
"""The way to a tensor or an array from the object that holds it, and the tensor or array."""

MAX_DEPTH: Final = 4
MAX_LEAVES: Final = 1000
"""Tensors in one attribute that are read: a replay memory kept as a list is read so far."""

_MODULE_ATTRIBUTES: Final = frozenset(torch.nn.Module().__dict__)
"""What every module has; of these only parameters and buffers hold tensors."""

_PLAIN: Final = frozenset({type(None), bool, int, float, str})
_TENSOR_DICTS: Final = ("_parameters", "_buffers")


def has_tensors(module: torch.nn.Module) -> bool:
    """Whether a module may hold tensors itself. Most do not, and come and go by the thousand."""
    held = module.__dict__
    if held.get("_parameters") or held.get("_buffers"):
        return True
    if len(held) > len(_MODULE_ATTRIBUTES):
        own = (value for name, value in held.items() if name not in _MODULE_ATTRIBUTES)
        if not all(type(value) in _PLAIN for value in own):
            return True
    return isinstance(module, torch.jit.ScriptModule)


def list_module(module: torch.nn.Module) -> Iterator[Held]:
    """Yield parameters, buffers, tensors in attributes, packed weights, and constants of a compiled graph."""
    held = module.__dict__
    for name in _TENSOR_DICTS:
        for key, value in list((held.get(name) or {}).items()):
            if value is not None:
                yield key, value
    for name, value in list(held.items()):
        if name in _MODULE_ATTRIBUTES:
            continue
        if isinstance(value, torch.ScriptObject):
            yield from _list_packed(value, name)
        else:
            yield from list_leaves(value, name)
    if isinstance(module, torch.jit.ScriptModule):
        yield from _list_script(module)


def list_leaves(value: Any, path: str) -> Iterator[Held]:
    """Yield the tensors and arrays in a value, in lists, tuples and mappings of any nesting."""
    left = [MAX_LEAVES]
    yield from _walk(value, path, MAX_DEPTH, left)


def _walk(value: Any, path: str, depth: int, left: list[int]) -> Iterator[Held]:
    if isinstance(value, torch.Tensor) or is_array(value):
        left[0] -= 1
        yield path, value
    elif depth and left[0] > 0:
        if type(value) in {list, tuple}:
            for number, item in enumerate(value):
                if left[0] <= 0:
                    return
                yield from _walk(item, f"{path}[{number}]", depth - 1, left)
        elif isinstance(value, dict):
            for key, item in list(value.items()):
                if left[0] <= 0:
                    return
                if isinstance(key, (str, int)):
                    yield from _walk(item, f"{path}[{key!r}]", depth - 1, left)


def is_array(value: Any) -> bool:
    """Whether a value is a numpy array of numbers, without importing numpy."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.ndarray) and not value.dtype.hasobject


def _list_packed(packed: torch.ScriptObject, path: str) -> Iterator[Held]:
    """Yield the weights of a quantised module: an object of C++, neither parameter nor buffer.

    ``__getstate__`` of the packed parameters of `torch.ao` returns the weight and bias (PyTorch 2.13:
    aten/src/ATen/native/quantized/cpu/fbgemm_utils.cpp); for linear layers within another such object.
    """
    has_state = packed._has_method("__getstate__")  # type: ignore[attr-defined]  # noqa: SLF001  # no public test
    state = packed.__getstate__() if has_state else None
    if isinstance(state, tuple):
        for number, part in enumerate(state):
            if isinstance(part, torch.ScriptObject):
                yield from _list_packed(part, f"{path}.{number}")
            else:
                yield from list_leaves(part, f"{path}.{number}")
    else:
        yield from list_leaves(state, path)


def _list_script(module: torch.jit.ScriptModule) -> Iterator[Held]:
    """Yield what a compiled module holds outside of Python, weights among it that freezing has made constants."""
    yield from (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False))
    graph = getattr(module, "graph", None)
    if graph is None:
        return
    number = 0
    for node in graph.findAllNodes("prim::Constant"):
        if node.hasAttribute("value") and node.kindOf("value") == "t":
            yield f"constant{number}", node.t("value")
            number += 1


def list_optimizer(optimizer: Optimizer) -> Iterator[Held]:
    """Yield what an optimizer holds.

    That is the parameters themselves, their state, state under other keys, and the options of each group
    (learning rate and the like) as one value.
    """
    for i, group in enumerate(optimizer.param_groups):
        options = {key: value for key, value in group.items() if key != "params"}
        yield f"group{i} hyper-parameters", options
        for j, parameter in enumerate(group["params"]):
            yield f"group{i}[{j}]", parameter
            for key, value in list((optimizer.state.get(parameter) or {}).items()):
                yield f"group{i}[{j}].{key}", value
    state: dict[Any, Any] = optimizer.state  # some optimizers keep counters under names
    for key, value in list(state.items()):
        if isinstance(key, str):
            yield f"state[{key!r}]", value

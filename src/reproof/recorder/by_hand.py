"""Steps of a training without any optimizer of `torch.optim`: it changes its parameters by hand after `backward()`.

Such a step begins with what comes next: a batch, a call of the model or another `backward()`. What the parameters hold
by then is the update of the step before.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reproof.recorder.context import Context
    from reproof.recorder.state import StateRecorder
    from reproof.schema import Stage


class StepsByHand:
    """What a training by hand computes, for one recording.

    Attributes:
        awaits_update: Whether the training has called `backward()`, and has not yet been seen to go on from there.
    """

    def __init__(self, context: Context, state: StateRecorder) -> None:
        """Wait for the first `backward()`."""
        self._context = context
        self._state = state
        self._leaves: list[tuple[str, weakref.ref[torch.Tensor]]] = []
        self.awaits_update = False

    def before_backward(self, tensors: Any) -> None:
        """Finish the step before, and find the parameters of a training without modules."""
        self.finish()
        if not self._context.registry.roots:
            self._take_leaves(tensors)

    def after_backward(self) -> None:
        """Record the gradients. Below level ``steps``, the step ends here."""
        if not self._context.records("steps"):
            self._context.end_step()
            return
        registry = self._context.registry
        known = [(name, parameter) for root, _ in registry.roots for name, parameter in registry.parameters(root)]
        self._state.record_hand_made_gradients(known or self.list_leaves())
        self.awaits_update = True

    def finish(self) -> None:
        """Record what the training has made of its parameters since `backward()`, and end the step."""
        if not self.awaits_update:
            return
        self.awaits_update = False
        self._state.record_holdings()
        for name, leaf in self.list_leaves():
            self._context.evidence.record_tensor("update", name, leaf)
        self._context.end_step()

    def _take_leaves(self, tensors: Any) -> None:
        """Note the tensors that a loss is derived from, where no module names them; record those not seen before."""
        known = {id(leaf) for _, leaf in self.list_leaves()}
        stage: Stage = "update" if self._leaves else "init"
        found = [(f"parameter{i}", leaf) for i, leaf in enumerate(find_leaves(tensors))]
        for name, leaf in found:
            if id(leaf) not in known:
                self._context.evidence.record_tensor(stage, name, leaf)
        self._leaves = [(name, weakref.ref(leaf)) for name, leaf in found]

    def list_leaves(self) -> list[tuple[str, torch.Tensor]]:
        """Return the tensors that are trained without a module and still there, with their names."""
        return [(name, leaf) for name, reference in self._leaves if (leaf := reference()) is not None]


def find_leaves(tensors: Any) -> Iterator[torch.Tensor]:
    """Yield the leaves of an autograd graph that take gradients, in the graph's order, each once."""
    roots = [tensors] if isinstance(tensors, torch.Tensor) else list(tensors)
    stack = [tensor.grad_fn for tensor in reversed(roots)]
    seen: set[Any] = set()
    while stack:
        node = stack.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        leaf = getattr(node, "variable", None)
        if leaf is not None:
            yield leaf
        stack += [following for following, _ in reversed(node.next_functions)]

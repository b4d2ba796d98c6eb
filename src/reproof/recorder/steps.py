"""Count the steps of a training and record what each of them does: loss, gradients, update.

A step ends when an optimizer has stepped. A training without any optimizer of `torch.optim` trains by hand (`by_hand`).
"""

from __future__ import annotations

import sys
import weakref
from typing import TYPE_CHECKING, Any, Final

import torch
from torch._functorch import eager_transforms
from torch.optim.optimizer import (
    Optimizer,
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from reproof.recorder.by_hand import find_leaves
from reproof.recorder.tracing import is_transformed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import FrameType

    from reproof.recorder.context import Context


class StepHooks:
    """The hooks on optimizers and gradients of one recording."""

    def __init__(self, context: Context, existing: Iterable[Optimizer]) -> None:
        """Hook all optimizers, those that exist and those to come."""
        self._context = context
        self._has_optimizer = False
        self._num_inner_steps: dict[int, int] = {}
        # Made before the recording: of this training, or of another that somebody keeps, as a notebook does.
        self._earlier: list[weakref.ref[Optimizer]] = []
        for optimizer in existing:
            self._earlier.append(weakref.ref(optimizer))
            if context.records("steps"):
                context.training.state.add_optimizer(optimizer)
        patches = context.patches
        patches.replace(Optimizer, "__init__", self._wrap_optimizer_init)
        patches.replace(torch.autograd, "backward", self._wrap_backward)
        patches.on_restore(register_optimizer_step_pre_hook(self._before_step).remove)
        patches.on_restore(register_optimizer_step_post_hook(self._after_step).remove)
        if context.records("steps"):
            patches.replace(torch.autograd, "grad", self._wrap_grad)
            patches.replace(eager_transforms, "grad_and_value_impl", self._wrap_transform)

    def _add_optimizer(self, optimizer: Optimizer) -> None:
        self._has_optimizer = True
        if self._context.records("steps"):
            self._context.training.state.add_optimizer(optimizer)

    def _wrap_optimizer_init(self, original: Callable[..., None]) -> Callable[..., None]:
        def init(optimizer: Optimizer, *args: Any, **kwargs: Any) -> None:
            original(optimizer, *args, **kwargs)
            if self._context.thread.is_beside:
                self._context.begin_to_train()
            self._add_optimizer(optimizer)

        return init

    def _before_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        if torch.compiler.is_compiling():
            outside_of_graph(self._record_before_step, optimizer, args, kwargs)
        else:
            self._record_before_step(optimizer, args, kwargs)

    def _after_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        if torch.compiler.is_compiling():
            outside_of_graph(self._record_after_step, optimizer, args, kwargs)
        else:
            self._record_after_step(optimizer, args, kwargs)

    def _record_before_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        context = self._context
        if not context.is_active or self._begins_inner_step(optimizer):
            return
        if context.thread.is_beside:  # with gradients that another thread has computed
            context.begin_to_train()
        if not context.records("steps"):
            return
        if not has_closure(args, kwargs):
            try:
                self._context.training.state.record_before_step(optimizer)
            except Exception as error:  # noqa: BLE001  # not `guard`, which takes a microsecond in each step
                context.problems.add_error("gradients", error)

    def _record_after_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        context = self._context
        if not context.is_active or self._ends_inner_step(optimizer):
            return
        self._has_optimizer = True
        if context.records("steps"):
            if has_closure(args, kwargs):  # the closure computes the gradients within the step
                with context.problems.guard("gradients"):
                    self._context.training.state.record_gradients(optimizer)
            try:
                self._context.training.state.record_update(optimizer)
            except Exception as error:  # noqa: BLE001  # as above
                context.problems.add_error("update", error)
        try:
            context.end_step()
        except Exception as error:  # noqa: BLE001  # as above
            context.problems.add_error("step", error)

    def _begins_inner_step(self, optimizer: Optimizer) -> bool:
        """Whether a step is the part of another that a derived optimizer leaves to its base class."""
        known = self._num_inner_steps.get(id(optimizer))
        if known is not None and num_steps_under_way(optimizer) > 1:
            self._num_inner_steps[id(optimizer)] = known + 1
            return True
        self._num_inner_steps[id(optimizer)] = 0  # also after a step that raised, of which the end was not seen
        return False

    def _ends_inner_step(self, optimizer: Optimizer) -> bool:
        num_inner = self._num_inner_steps.pop(id(optimizer), 0)
        if num_inner:
            self._num_inner_steps[id(optimizer)] = num_inner - 1
        return num_inner > 0

    def _wrap_backward(self, original: Callable[..., None]) -> Callable[..., None]:
        def backward(*args: Any, **kwargs: Any) -> None:
            thread = self._context.thread
            # A call within backward, as checkpointing makes it, computes a part of the gradients of the outer call.
            if not self._context.is_active or thread.is_in_backward:
                original(*args, **kwargs)
                return
            if thread.is_beside:  # a thread that computes gradients trains
                self._context.begin_to_train()
            tensors = first_of(args, kwargs, "tensors")
            try:
                self._look_for_optimizer(tensors)
                self._before_backward(tensors)
            except Exception as error:  # noqa: BLE001  # as above
                self._context.problems.add_error("loss", error)
            thread.is_in_backward = True
            try:
                original(*args, **kwargs)
            finally:
                thread.is_in_backward = False
            if not self._has_optimizer:
                with self._context.problems.guard("gradients"):
                    self._context.training.by_hand.after_backward()

        return backward

    def _look_for_optimizer(self, tensors: Any) -> None:
        """Note whether an optimizer that was there before the recording steps what a loss is derived from."""
        if self._has_optimizer or not self._earlier:
            return
        there = [optimizer for reference in self._earlier if (optimizer := reference()) is not None]
        stepped = {id(tensor) for optimizer in there for group in optimizer.param_groups for tensor in group["params"]}
        self._has_optimizer = any(id(leaf) in stepped for leaf in find_leaves(tensors))

    def _before_backward(self, tensors: Any) -> None:
        if not self._context.records("steps"):
            return
        if not self._has_optimizer:
            self._context.training.by_hand.before_backward(tensors)
        self._context.evidence.record_tree("loss", "loss", tensors)

    def _wrap_grad(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def grad(*args: Any, **kwargs: Any) -> Any:
            context = self._context
            if not context.is_active or context.thread.is_in_backward or is_transformed():
                return original(*args, **kwargs)
            with context.problems.guard("loss"):
                outputs = first_of(args, kwargs, "outputs")
                self._look_for_optimizer(outputs)
                context.evidence.record_tree("loss", "loss", outputs)
            context.thread.is_in_backward = True
            try:
                gradients = original(*args, **kwargs)
            finally:
                context.thread.is_in_backward = False
            with context.problems.guard("gradients"):
                context.evidence.record_tree("gradient", "grad", gradients)
                self._context.training.by_hand.awaits_update = not self._has_optimizer
            return gradients

        return grad

    def _wrap_transform(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Record what `torch.func.grad` and `grad_and_value` compute, the outermost of them."""

        def transform(*args: Any, **kwargs: Any) -> Any:
            context = self._context
            if not context.is_active or is_transformed():
                return original(*args, **kwargs)
            result = original(*args, **kwargs)
            with context.problems.guard("gradients"):
                gradients, value = result
                context.evidence.record_tree("loss", "loss", value)
                context.evidence.record_tree("gradient", "grad", gradients)
                self._context.training.by_hand.awaits_update = not self._has_optimizer
            return result

        return transform


# Not the public `torch.compiler.disable`: that one imports the compiler at once, which takes a second.
@torch._disable_dynamo  # type: ignore[attr-defined]  # noqa: SLF001
def outside_of_graph(record: Callable[..., None], optimizer: Optimizer, args: Any, kwargs: Any) -> None:
    """Record what a compiled `Optimizer.step` does, between its graphs."""
    record(optimizer, args, kwargs)


STEP_CODE: Final = Optimizer.profile_hook_step(lambda: None).__code__
"""The code of what PyTorch wraps around the `step` of each class of optimizers."""


def num_steps_under_way(optimizer: Optimizer) -> int:
    """Return how many calls of `step` of an optimizer this thread is in."""
    frame: FrameType | None = sys._getframe()  # noqa: SLF001  # the documented way to the stack
    count = 0
    while frame is not None:
        count += frame.f_code is STEP_CODE and frame.f_locals.get("self") is optimizer
        frame = frame.f_back
    return count


def has_closure(args: Any, kwargs: dict[str, Any]) -> bool:
    """Whether `Optimizer.step` was given a closure (its arguments may or may not include the optimizer itself)."""
    return kwargs.get("closure") is not None or any(
        callable(value) for value in args if not isinstance(value, Optimizer)
    )


def first_of(args: tuple[Any, ...], kwargs: dict[str, Any], name: str) -> Any:
    """Return the first argument of a call, however it was passed."""
    return args[0] if args else kwargs.get(name)

"""See every call of a model: its initial state, its inputs and its outputs.

A *root* is a module with parameters that is called from outside of any other. `torch.nn.Module.__call__` is replaced
rather than hooked: a global forward pre-hook is not shown keyword arguments, and any global hook makes the call of
every submodule slower. At level ``batches`` the replacement is taken out again as soon as a loader delivers the
batches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from reproof.digest import CannotDigestError
from reproof.entropy.sites import find_site
from reproof.recorder.evidence import digest_any_tensor
from reproof.recorder.parallel import describe_parallel
from reproof.recorder.patches import Patches
from reproof.recorder.registry import unwrapped
from reproof.recorder.tracing import is_tracing

if TYPE_CHECKING:
    from collections.abc import Callable

    from reproof.recorder.context import Context
    from reproof.recorder.frames import Value
    from reproof.schema import Detail, Stage


class ModelHooks:
    """The hook on module calls of one recording."""

    def __init__(self, context: Context) -> None:
        """Hook all modules, those that exist and those to come."""
        self._context = context
        self._is_wanted = True
        self._num_batches = 0
        self._patches = Patches()
        self._patches.replace(torch.nn.Module, "__call__", self._wrap_call)
        context.patches.on_restore(self.remove)

    def remove(self) -> None:
        """Take the hook out."""
        self._patches.restore()
        self._is_wanted = False

    def _wrap_call(self, original: Callable[..., Any]) -> Callable[..., Any]:
        thread = self._context.thread
        sees_all = self._context.records("modules")

        def call(module: torch.nn.Module, *args: Any, **kwargs: Any) -> Any:
            # First the usual case, a part of a model: this runs in every call of every module.
            if thread.is_in_model and not sees_all:
                return original(module, *args, **kwargs)
            if not self._is_wanted or not self._is_seen(module):
                return original(module, *args, **kwargs)
            # Without gradients, a thread beside the training evaluates; with them, it has begun to train itself.
            if thread.is_beside:
                if not torch.is_grad_enabled():
                    return self._call_beside(original, module, args, kwargs)
                self._context.begin_to_train()
            if thread.is_in_model:
                return self._call_part(original, module, args, kwargs)
            if torch.is_grad_enabled() or not self._context.records("steps"):
                return self._call_root(original, module, args, kwargs)
            with self._context.frames.noting(describe_call()):
                return self._call_root(original, module, args, kwargs)

        return call

    def _is_seen(self, module: torch.nn.Module) -> bool:
        """Whether this is a call of a model, outside of a compiler's tracing and of a recomputation in backward."""
        if torch.compiler.is_compiling() or not self._context.is_active or is_within_backward() or is_tracing():
            return False
        return self._context.thread.is_in_model or (is_model(module) and torch._C._get_tracing_state() is None)  # noqa: SLF001  # no public test

    def _call_root(self, original: Callable[..., Any], module: torch.nn.Module, args: Any, kwargs: Any) -> Any:
        context = self._context
        context.thread.is_in_model = True
        try:
            try:
                self._before_root(module, args, kwargs)
            except Exception as error:  # noqa: BLE001  # not `guard`, which takes a microsecond in each step
                context.problems.add_error("input of a model", error)
            output = original(module, *args, **kwargs)
            if context.records("steps"):
                try:
                    self._after_root(module, output)
                except Exception as error:  # noqa: BLE001  # as above
                    context.problems.add_error("output of a model", error)
        finally:
            context.thread.is_in_model = False
        return output

    def _call_beside(self, original: Callable[..., Any], module: torch.nn.Module, args: Any, kwargs: Any) -> Any:
        """Record inputs and outputs of a model that is called in a thread beside the training.

        Its events are named after its class, because it depends on timing whether the model has a name by now.
        """
        context = self._context
        if context.thread.is_in_model or not context.records("steps"):
            return original(module, *args, **kwargs)
        name = f"{type(unwrapped(module)).__name__} in a thread"
        context.thread.is_in_model = True
        try:
            with context.background.apart(name), context.frames.noting((*describe_call(), *describe_state(module))):
                with context.problems.guard("input of a model"):
                    self._record_inputs("metric", name, args, kwargs)
                output = original(module, *args, **kwargs)
                with context.problems.guard("output of a model"):
                    context.evidence.record_tree("metric", f"{name} output", output)
        finally:
            context.thread.is_in_model = False
        return output

    def _call_part(self, original: Callable[..., Any], module: torch.nn.Module, args: Any, kwargs: Any) -> Any:
        """Record the inputs and outputs of a module inside of a model (level ``modules``)."""
        context = self._context
        stage: Stage = "forward" if torch.is_grad_enabled() else "metric"
        with context.problems.guard("input of a module"):
            self._record_inputs(stage, context.registry.name_of(module), args, kwargs)
        output = original(module, *args, **kwargs)
        with context.problems.guard("output of a module"):
            context.evidence.record_tree(stage, f"{context.registry.name_of(module)} output", output)
        return output

    def _before_root(self, module: torch.nn.Module, args: Any, kwargs: Any) -> None:
        context = self._context
        is_training = torch.is_grad_enabled()
        context.background.place_batches((args, kwargs))
        if context.records("steps"):
            training = context.training
            training.by_hand.finish()
            if training.state.record_first_use(module):
                with context.problems.guard("processes of a model"):
                    found = describe_parallel(module, context.registry.name_of(module))
                    context.parallel += [] if found is None else [found]
            if not is_training:
                self._record_inputs("metric", context.registry.name_of(module), args, kwargs)
        if is_training and not context.training.has_loader and self._is_within_limit():
            self._record_inputs("batch", context.registry.name_of(module), args, kwargs)
        elif is_training and context.records("modules"):
            self._record_inputs("forward", context.registry.name_of(module), args, kwargs)

    def _after_root(self, module: torch.nn.Module, output: Any) -> None:
        context = self._context
        state = context.training.state
        if state.uninitialized:
            state.record_initialized()
        stage: Stage = "forward" if torch.is_grad_enabled() else "metric"
        context.evidence.record_tree(stage, f"{context.registry.name_of(module)} output", output)

    def _is_within_limit(self) -> bool:
        self._num_batches += 1
        return self._context.num_batches is None or self._num_batches <= self._context.num_batches

    def _record_inputs(self, stage: Stage, name: str, args: Any, kwargs: Any) -> None:
        detail: Detail | None = "content" if stage == "batch" else None
        for i, value in enumerate(args):
            self._context.evidence.record_tree(stage, f"{name} input[{i}]", value, detail)
        for key, value in kwargs.items():
            self._context.evidence.record_tree(stage, f"{name} input[{key!r}]", value, detail)


def describe_call() -> tuple[Value, ...]:
    """Return what marks the beginning of a call without gradients: the user's line that it comes from."""
    site = find_site(2)
    return (("call", "B", b"" if site is None else f"{site.file}:{site.line}".encode("utf-8", "replace")),)


def describe_state(module: torch.nn.Module) -> tuple[Value, ...]:
    """Return the digests of the parameters and buffers of a model; nothing if one of them cannot be read."""
    tensors = (*torch.nn.Module.parameters(module), *torch.nn.Module.buffers(module))
    try:
        members = sorted(map(digest_any_tensor, tensors))
    except CannotDigestError:
        return ()
    return (("members", "Q", b"".join(members)),)


def is_within_backward() -> bool:
    """Whether autograd calls this, to recompute what was not kept; also in autograd's threads for devices."""
    return torch._C._current_graph_task_id() != -1  # noqa: SLF001  # no public test


def is_model(module: torch.nn.Module) -> bool:
    """Whether a module is a model: it has parameters (a loss function has none) and is no replica of `DataParallel`."""
    return "_is_replica" not in module.__dict__ and has_parameters(module)


def has_parameters(module: torch.nn.Module) -> bool:
    """Whether a module has parameters. The usual cases are told without `Module.parameters`, which takes 3 us."""
    parts = module._modules  # noqa: SLF001
    if has_own_parameters(module) or any(part is not None and has_own_parameters(part) for part in parts.values()):
        return True
    if not parts and type(module).parameters is torch.nn.Module.parameters:
        return False
    return next(module.parameters(), None) is not None


def has_own_parameters(module: torch.nn.Module) -> bool:
    """Whether a module has parameters apart from those of its parts."""
    own = module._parameters  # noqa: SLF001
    return bool(own) and any(value is not None for value in own.values())

"""Record the state of a training: what models hold, gradients, and what an optimizer step makes of them.

A step is bracketed by the state before and after it; what an operation returns is never trusted, because foreach and
fused optimizers return nothing. Lists of what to read are kept between steps, references to tensors are not.
"""

from __future__ import annotations

import struct
import weakref
from typing import TYPE_CHECKING, Any, Final

import torch

from reproof.digest import CannotDigestError, digest_plain, digest_tensor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch.optim.optimizer import Optimizer

    from reproof.recorder.session import Recording
    from reproof.schema import Stage

FROZEN_PERIOD: Final = 16
FROZEN_SHARE: Final = 4
"""State outside of every optimizer that is more than so many times the optimized parameters is read every 16th step only.

Otherwise a large frozen backbone would cost more to digest than the training of its small head.
"""

HYPERPARAMETERS: Final = (type(None), bool, int, float, complex, str, tuple, torch.Tensor)
"""Types of values in a parameter group that are hyper-parameters; others (functions, lists of names) steer nothing."""

FROZEN_BYTES: Final = 64 << 20
"""State outside of every optimizer up to this size is read at every step in any case."""


class OptimizerPlan:
    """What to read of an optimizer at every step, and under which event."""

    def __init__(self, version: int, sizes: list[int], names: list[str]) -> None:
        """Hold names of the parameters, valid for this version of the registry and these sizes of groups."""
        self.version = version
        self.sizes = sizes
        self.names = names
        self.gradient_ids: dict[int, int] = {}
        self.parameter_ids: dict[int, int] = {}
        self.state_ids: list[dict[str, int]] = [{} for _ in names]


class Holding:
    """A parameter or buffer that no optimizer steps: its event, and where it is found."""

    __slots__ = ("event_id", "key", "name", "owner")

    def __init__(self, name: str, held: dict[str, Any], key: str) -> None:
        """Find it under `key` in the dict of parameters or buffers of its module."""
        self.name = name
        self.owner = held
        self.key = key
        self.event_id: int | None = None


class StateRecorder:
    """Records the state of models and optimizers for one recording."""

    def __init__(self, recording: Recording) -> None:
        """Know no optimizer yet."""
        self._recording = recording
        self._plans: weakref.WeakKeyDictionary[Optimizer, OptimizerPlan] = weakref.WeakKeyDictionary()
        self._optimizers: list[weakref.ref[Optimizer]] = []
        self._classes: dict[str, int] = {}
        self._names: weakref.WeakKeyDictionary[Optimizer, str] = weakref.WeakKeyDictionary()
        self._hyperparameters: weakref.WeakKeyDictionary[Optimizer, Any] = weakref.WeakKeyDictionary()
        self._holdings: list[Holding] = []
        self._holdings_version: tuple[int, int, int] | None = None
        self._is_large = False

    def add_optimizer(self, optimizer: Optimizer) -> None:
        """Note that an optimizer exists: its parameters are its own to record."""
        self._optimizers.append(weakref.ref(optimizer))
        self._holdings_version = None

    def record_first_use(self, module: torch.nn.Module) -> None:
        """Record the initial state of a model that is called for the first time.

        Its events go to the front of the step: the model had this state before anything else in the step happened.
        """
        recording = self._recording
        if not recording.registry.add_root(module):
            return
        with recording.frames.at_front():
            for name, value in self._held_by(module):
                recording.evidence.record_tensor("init", name, value)

    def _held_by(self, module: torch.nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
        for name, owner, key, is_parameter in self._recording.registry.holdings(module):
            held: dict[str, Any] = owner._parameters if is_parameter else owner._buffers  # noqa: SLF001
            yield name, held[key]

    def record_gradients(self, optimizer: Optimizer) -> None:
        """Record the gradient of every parameter of an optimizer that has one."""
        frames = self._recording.frames
        plan = self._plan_of(optimizer)
        ids = plan.gradient_ids
        position = 0
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                gradient = parameter.grad
                if gradient is not None:
                    event_id = ids.get(position)
                    if event_id is not None:
                        try:
                            frames.add(event_id, digest_tensor(gradient))
                        except CannotDigestError:
                            self._recording.evidence.record_tensor("gradient", plan.names[position], gradient)
                    else:
                        ids.update(self._number("gradient", plan.names[position], position, gradient))
                position += 1

    def record_hand_made_gradients(self, leaves: list[tuple[str, torch.Tensor]]) -> None:
        """Record the gradients of parameters that no optimizer will step."""
        for name, leaf in leaves:
            if leaf.grad is not None:
                self._recording.evidence.record_tensor("gradient", name, leaf.grad)

    def record_update(self, optimizer: Optimizer) -> None:
        """Record what an optimizer step has changed: hyper-parameters, parameters, optimizer state, and the rest."""
        self._record_hyperparameters(optimizer)
        frames = self._recording.frames
        plan = self._plan_of(optimizer)
        parameter_ids, state = plan.parameter_ids, optimizer.state
        position = 0
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                event_id = parameter_ids.get(position)
                if event_id is not None:
                    try:
                        frames.add(event_id, digest_tensor(parameter))
                    except CannotDigestError:
                        self._recording.evidence.record_tensor("update", plan.names[position], parameter)
                else:
                    parameter_ids.update(self._number("update", plan.names[position], position, parameter))
                held = state.get(parameter)
                if held:
                    self._record_parameter_state(plan, position, held)
                position += 1
        self.record_holdings()

    def _record_parameter_state(self, plan: OptimizerPlan, position: int, held: dict[str, Any]) -> None:
        frames, ids = self._recording.frames, plan.state_ids[position]
        for key, value in held.items():
            event_id = ids.get(key)
            if event_id is not None and isinstance(value, torch.Tensor):
                try:
                    frames.add(event_id, digest_tensor(value))
                    continue
                except CannotDigestError:
                    pass  # told as skipped below
            name = f"{plan.names[position]}.{key}"
            if isinstance(value, torch.Tensor):
                for event in self._number("update", name, position, value).values():
                    ids[key] = event
            else:
                self._recording.evidence.record_tree("update", name, value)

    def _number(self, stage: Stage, name: str, position: int, value: torch.Tensor) -> dict[int, int]:
        """Record a tensor for the first time and return the number of its event, to be used from then on."""
        event_id = self._recording.evidence.record_tensor(stage, name, value)
        return {} if event_id is None else {position: event_id}

    def _record_hyperparameters(self, optimizer: Optimizer) -> None:
        """Record learning rate and the like: where they part, the update is explained."""
        now = [
            {key: value for key, value in group.items() if isinstance(value, HYPERPARAMETERS) and key != "params"}
            for group in optimizer.param_groups
        ]
        known = self._hyperparameters.get(optimizer)
        if known is None or _holds_tensor(now) or known[0] != now:
            rates = [group["lr"] for group in now if isinstance(group.get("lr"), float)]
            values = (("exact", "d", struct.pack(f"<{len(rates)}d", *rates)),) if rates else ()
            known = self._hyperparameters[optimizer] = (now, digest_plain(now), values)
        name = f"{self._name_of(optimizer)} hyper-parameters"
        self._recording.evidence.record_digest("update", name, known[1], values=known[2])

    def record_holdings(self) -> None:
        """Record buffers, and parameters that no optimizer steps: frozen, averaged, or changed by hand."""
        recording = self._recording
        self._refresh_holdings()
        if self._is_large and recording.frames.step % FROZEN_PERIOD:
            return
        for holding in self._holdings:
            value = holding.owner.get(holding.key)
            if value is None:
                continue
            if holding.event_id is None:
                holding.event_id = recording.evidence.record_tensor("update", holding.name, value)
                continue
            try:
                recording.frames.add(holding.event_id, digest_tensor(value))
            except CannotDigestError:
                recording.evidence.record_tensor("update", holding.name, value)

    def _refresh_holdings(self) -> None:
        """Find out anew what models hold, if a model or a part of one has come since."""
        registry = self._recording.registry
        roots = registry.roots
        version = (registry.version, len(roots), len(self._optimizers))
        if version == self._holdings_version:
            return
        self._holdings_version = version
        known = {holding.name: holding.event_id for holding in self._holdings}
        optimized = {id(p): p for p in self._optimized_parameters()}
        seen: set[int] = set()
        self._holdings = []
        num_bytes = 0
        for module, _ in roots:
            for name, owner, key, is_parameter in registry.holdings(module):
                held: dict[str, Any] = owner._parameters if is_parameter else owner._buffers  # noqa: SLF001
                value = held[key]
                if id(value) in optimized or id(value) in seen:
                    continue
                seen.add(id(value))
                holding = Holding(name, held, key)
                holding.event_id = known.get(name)
                self._holdings.append(holding)
                num_bytes += value.nbytes if not torch.nn.parameter.is_lazy(value) else 0
        limit = max(FROZEN_BYTES, FROZEN_SHARE * sum(p.nbytes for p in optimized.values()))
        self._is_large = num_bytes > limit

    def _optimized_parameters(self) -> Iterator[torch.Tensor]:
        for reference in self._optimizers:
            optimizer = reference()
            if optimizer is not None:
                for group in optimizer.param_groups:
                    yield from (p for p in group["params"] if not torch.nn.parameter.is_lazy(p))

    def _plan_of(self, optimizer: Optimizer) -> OptimizerPlan:
        version = self._recording.registry.version
        sizes = [len(group["params"]) for group in optimizer.param_groups]
        plan = self._plans.get(optimizer)
        if plan is None or plan.sizes != sizes or plan.version != version:
            plan = self._plans[optimizer] = OptimizerPlan(version, sizes, self._name_parameters(optimizer))
            self._holdings_version = None
        return plan

    def _name_parameters(self, optimizer: Optimizer) -> list[str]:
        """Return the names of an optimizer's parameters: those of the models, or their place in the optimizer."""
        registry = self._recording.registry
        for root, _ in registry.roots:
            registry.add_names(root)
        owner = self._name_of(optimizer)
        return [
            registry.name_parameter(parameter, f"{owner}.group{i}[{j}]")
            for i, group in enumerate(optimizer.param_groups)
            for j, parameter in enumerate(group["params"])
        ]

    def _name_of(self, optimizer: Optimizer) -> str:
        """Return the class of an optimizer, numbered from the second of the class on."""
        name = self._names.get(optimizer)
        if name is None:
            kind = type(optimizer).__name__
            self._classes[kind] = number = self._classes.get(kind, 0) + 1
            name = self._names[optimizer] = kind if number == 1 else f"{kind}#{number}"
        return name


def _holds_tensor(groups: list[dict[str, Any]]) -> bool:
    """Whether a hyper-parameter is a tensor, whose value may change without its being another object."""
    return any(isinstance(value, torch.Tensor) for group in groups for value in group.values())

"""Record the state of a training: what models hold, gradients, and what an optimizer step makes of them.

A step is bracketed by the state before and after it; what an operation returns is never trusted, because foreach and
fused optimizers return nothing. Lists of what to read are kept between steps, references to tensors are not.
"""

from __future__ import annotations

import struct
import weakref
from collections import Counter
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import torch
from torch.nn.parameter import is_lazy

from reproof.digest import digest_plain
from reproof.recorder.evidence import name_key
from reproof.recorder.holdings import Holdings, TensorGroup

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch.optim.optimizer import Optimizer

    from reproof.recorder.evidence import EvidenceRecorder
    from reproof.recorder.frames import Value
    from reproof.recorder.registry import Registry

HYPERPARAMETERS: Final = (type(None), bool, int, float, complex, str, tuple, torch.Tensor)
"""Types of values in a parameter group that are hyper-parameters; others (functions, lists of names) have no effect."""

PLAIN_TENSOR: Final = frozenset({torch.Tensor})


class OptimizerPlan:
    """The list of what to read of an optimizer at every step."""

    def __init__(self, version: int, sizes: list[int], names: list[str], unseen: list[int]) -> None:
        """Start with what depends on the parameters alone.

        Names, over all groups, are valid for this version of the registry and these numbers of parameters per group.
        `unseen` are positions of parameters whose initial state is still to be recorded: no called model has them.
        """
        self.version = version
        self.sizes = sizes
        self.names = names
        self.unseen = unseen
        self.gradients = TensorGroup("gradient")
        self.hyperparameters: Hyperparameters | None = None
        self.updated = TensorGroup("update")
        self.with_gradient: tuple[list[int], list[str]] = ([], [])
        self.state_keys: list[tuple[str, ...]] | None = None
        self.state_names: list[str] = []
        self.updated_names: list[str] = []


class Hyperparameters:
    """The hyper-parameters of an optimizer, digested once for as long as they stay the same objects.

    Attributes:
        values: The learning rates, as numbers.
    """

    def __init__(self, name: str, optimizer: Optimizer) -> None:
        """Digest the current hyper-parameters; `name` is that of their event."""
        self.name = name
        now = [
            {key: value for key, value in group.items() if isinstance(value, HYPERPARAMETERS) and key != "params"}
            for group in optimizer.param_groups
        ]
        rates = [group["lr"] for group in now if isinstance(group.get("lr"), float)]
        self.digest = digest_plain(now)
        self.values: tuple[Value, ...] = (("exact", "d", struct.pack(f"<{len(rates)}d", *rates)),) if rates else ()
        self._keys = list(map(tuple, optimizer.param_groups))
        options = list_options(optimizer)
        self._ids = list(map(id, options))
        self._held = [value for value in options if type(value) is not list]  # so that no other gets its id
        if any(map(holds_tensor, options)):  # a tensor may change and stay the same object
            self._ids = []

    def are_those_of(self, optimizer: Optimizer) -> bool:
        """Whether the optimizer still has the same hyper-parameters."""
        is_same = list(map(id, list_options(optimizer))) == self._ids
        return is_same and list(map(tuple, optimizer.param_groups)) == self._keys


def list_options(optimizer: Optimizer) -> list[Any]:
    """Return all values in the groups of an optimizer, including the lists of parameters."""
    return list(chain.from_iterable(map(dict.values, optimizer.param_groups)))


def holds_tensor(value: Any) -> bool:
    """Whether an option is a tensor, or a tuple with one in it."""
    return isinstance(value, torch.Tensor) or (isinstance(value, tuple) and any(map(holds_tensor, value)))


class StateRecorder:
    """Records the state of models and optimizers for one recording.

    Attributes:
        uninitialized: Parameters of lazy modules that have no data yet: name, where each is held, and its key there.
    """

    def __init__(self, evidence: EvidenceRecorder, registry: Registry) -> None:
        """Start without optimizers."""
        self._evidence = evidence
        self._registry = registry
        self._plans: weakref.WeakKeyDictionary[Optimizer, OptimizerPlan] = weakref.WeakKeyDictionary()
        self._optimizers: list[weakref.ref[Optimizer]] = []
        self._classes: Counter[str] = Counter()
        self._names: weakref.WeakKeyDictionary[Optimizer, str] = weakref.WeakKeyDictionary()
        self._holdings = Holdings(evidence, registry)
        self.uninitialized: list[tuple[str, dict[str, Any], str]] = []

    def add_optimizer(self, optimizer: Optimizer) -> None:
        """Note an optimizer: its parameters are recorded with its steps."""
        self._optimizers.append(weakref.ref(optimizer))
        self._holdings.forget()

    def record_first_use(self, module: torch.nn.Module) -> bool:
        """Record the initial state of a model that is called for the first time, and return whether it is.

        Its events go to the front of the step, because the model had this state before anything else happened in it.
        """
        if not self._registry.add_root(module):
            return False
        with self._evidence.frames.at_front():
            for name, held, key, _ in self._registry.holdings(module):
                if is_lazy(held[key]):
                    self.uninitialized.append((name, held, key))
                else:
                    self._evidence.record_tensor("init", name, held[key])
        return True

    def record_initialized(self) -> None:
        """Record the initial state of parameters of lazy modules, which the call of their model has initialized."""
        waiting, self.uninitialized = self.uninitialized, []
        with self._evidence.frames.at_front():
            for name, held, key in waiting:
                if is_lazy(held[key]):
                    self.uninitialized.append((name, held, key))
                else:
                    self._evidence.record_tensor("init", name, held[key])

    def record_before_step(self, optimizer: Optimizer) -> None:
        """Record gradients, and before them the initial state of parameters that belong to no called model."""
        plan = self._plan_of(optimizer)
        if plan.unseen:
            self._record_unseen(optimizer, plan)
        self._record_gradients(optimizer, plan)

    def record_gradients(self, optimizer: Optimizer) -> None:
        """Record the gradient of every parameter of an optimizer that has one."""
        self._record_gradients(optimizer, self._plan_of(optimizer))

    def _record_unseen(self, optimizer: Optimizer, plan: OptimizerPlan) -> None:
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        with self._evidence.frames.at_front():
            for position in plan.unseen:
                self._evidence.record_tensor("init", plan.names[position], parameters[position])
        plan.unseen = []

    def _record_gradients(self, optimizer: Optimizer, plan: OptimizerPlan) -> None:
        gradients = [parameter.grad for group in optimizer.param_groups for parameter in group["params"]]
        present = [position for position, gradient in enumerate(gradients) if gradient is not None]
        if present != plan.with_gradient[0]:
            plan.with_gradient = (present, [plan.names[position] for position in present])
        found = [gradient for gradient in gradients if gradient is not None]
        plan.gradients.record(plan.with_gradient[1], found, self._evidence)

    def record_hand_made_gradients(self, leaves: list[tuple[str, torch.Tensor]]) -> None:
        """Record the gradients of parameters that no optimizer will step."""
        for name, leaf in leaves:
            if leaf.grad is not None:
                self._evidence.record_tensor("gradient", name, leaf.grad)

    def record_update(self, optimizer: Optimizer) -> None:
        """Record what an optimizer step has changed: hyper-parameters, parameters, optimizer state, and the rest."""
        plan = self._plan_of(optimizer)
        self._record_hyperparameters(optimizer, plan)
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        self._record_updated(optimizer, plan, parameters)
        self.record_holdings()

    def record_holdings(self) -> None:
        """Record what models hold and no optimizer steps."""
        self._holdings.record(self._optimized_parameters)

    def _record_updated(self, optimizer: Optimizer, plan: OptimizerPlan, parameters: list[torch.Tensor]) -> None:
        """Record the parameters and the tensors of their state as one group, and other parts of the state singly."""
        evidence = self._evidence
        has_others = False
        if list(map(id, optimizer.state)) == list(map(id, parameters)):
            held = list(optimizer.state.values())
        else:
            held = [optimizer.state.get(parameter) or {} for parameter in parameters]
            has_others = len(optimizer.state) > len(held) - held.count({})
        keys = list(map(tuple, held))
        if keys != plan.state_keys:
            plan.state_keys = keys
            named = zip(plan.names, keys, strict=True)
            plan.state_names = [f"{name}.{key}" for name, of_parameter in named for key in of_parameter]
            plan.updated_names = plan.names + plan.state_names
        values = list(chain.from_iterable(map(dict.values, held)))
        if PLAIN_TENSOR.issuperset(map(type, values)) or all(isinstance(value, torch.Tensor) for value in values):
            plan.updated.record(plan.updated_names, parameters + values, evidence)
        else:
            plan.updated.record(plan.names, parameters, evidence)
            for name, value in zip(plan.state_names, values, strict=True):
                evidence.record_tree("update", name, value)
        if has_others:
            self._record_shared_state(optimizer)

    def _record_shared_state(self, optimizer: Optimizer) -> None:
        """Record what an optimizer keeps under other keys than its parameters, such as a count of its steps."""
        held: dict[Any, Any] = optimizer.state
        for key, value in held.items():
            if not isinstance(key, torch.Tensor):
                self._evidence.record_tree("update", f"{self._name_of(optimizer)} state[{name_key(key)}]", value)

    def _record_hyperparameters(self, optimizer: Optimizer, plan: OptimizerPlan) -> None:
        """Record learning rate and the like: if they differ, they explain why the update differs."""
        known = plan.hyperparameters
        if known is None or not known.are_those_of(optimizer):
            known = plan.hyperparameters = Hyperparameters(f"{self._name_of(optimizer)} hyper-parameters", optimizer)
        self._evidence.record_digest("update", known.name, known.digest, values=known.values)

    def _optimized_parameters(self) -> Iterator[torch.Tensor]:
        for reference in self._optimizers:
            optimizer = reference()
            if optimizer is not None:
                for group in optimizer.param_groups:
                    yield from (p for p in group["params"] if not is_lazy(p))

    def _plan_of(self, optimizer: Optimizer) -> OptimizerPlan:
        version = self._registry.version
        sizes = [len(group["params"]) for group in optimizer.param_groups]
        plan = self._plans.get(optimizer)
        if plan is None and all(reference() is not optimizer for reference in self._optimizers):
            self.add_optimizer(optimizer)  # another training has made it
        if plan is None or plan.sizes != sizes or plan.version != version:
            plan = self._plans[optimizer] = OptimizerPlan(version, sizes, *self._name_parameters(optimizer))
            self._holdings.forget()
        return plan

    def _name_parameters(self, optimizer: Optimizer) -> tuple[list[str], list[int]]:
        """Return the names of an optimizer's parameters, and the positions of those that no called model has.

        The names are those of the models, or the place in the optimizer.
        """
        registry = self._registry
        for root, _ in registry.roots:
            registry.add_names(root)
        owner = self._name_of(optimizer)
        places = [
            (parameter, f"{owner}.group{i}[{j}]")
            for i, group in enumerate(optimizer.param_groups)
            for j, parameter in enumerate(group["params"])
        ]
        unseen = [position for position, (parameter, _) in enumerate(places) if not registry.knows_parameter(parameter)]
        return [registry.name_parameter(*place) for place in places], unseen

    def _name_of(self, optimizer: Optimizer) -> str:
        """Return the name of an optimizer: its class, with a number from the second of the class on."""
        name = self._names.get(optimizer)
        if name is None:
            kind = type(optimizer).__name__
            self._classes[kind] += 1
            name = self._names[optimizer] = kind if self._classes[kind] == 1 else f"{kind}#{self._classes[kind]}"
            self._registry.known.note(optimizer, name)
        return name

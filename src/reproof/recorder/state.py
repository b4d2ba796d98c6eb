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

from reproof.digest import CannotDigestError, RepeatedDigests, digest_plain
from reproof.recorder.evidence import name_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from torch.optim.optimizer import Optimizer

    from reproof.recorder.evidence import EvidenceRecorder
    from reproof.recorder.frames import Value
    from reproof.recorder.registry import Registry
    from reproof.schema import Stage

FROZEN_PERIOD: Final = 16
FROZEN_SHARE: Final = 4
"""State outside of every optimizer that is more than so many times the optimized parameters is read every 16th step.

Otherwise a large frozen backbone would cost more to digest than the training of its small head.
"""

HYPERPARAMETERS: Final = (type(None), bool, int, float, complex, str, tuple, torch.Tensor)
"""Types of values in a parameter group that are hyper-parameters; others (functions, lists of names) steer nothing."""

PLAIN_TENSOR: Final = frozenset({torch.Tensor})

FROZEN_BYTES: Final = 64 << 20
"""State outside of every optimizer up to this size is read at every step in any case."""


class TensorGroup:
    """Tensors that are recorded together at every step: their events, and what is known of where they lie."""

    def __init__(self, stage: Stage) -> None:
        """Know no tensor yet; they become events of this stage."""
        self._stage = stage
        self._names: list[str] = []
        self._event_ids: list[int] = []
        self._digests = RepeatedDigests()

    def record(self, names: list[str], tensors: list[torch.Tensor], evidence: EvidenceRecorder) -> None:
        """Record tensors under their names.

        Args:
            names: One per tensor; the same list object as long as nothing has changed, which is what makes it quick.
            tensors: The tensors.
            evidence: Where they go.
        """
        if names is not self._names:
            self._names, self._event_ids = names, []
        if not self._event_ids:
            numbers = [evidence.record_tensor(self._stage, *named) for named in zip(names, tensors, strict=True)]
            if None not in numbers and not evidence.keeps_statistics and evidence.look is None:
                self._event_ids = [number for number in numbers if number is not None]
            return
        try:
            digests = self._digests.digest(tensors)
        except CannotDigestError:
            for named in zip(names, tensors, strict=True):
                evidence.record_tensor(self._stage, *named)
        else:
            evidence.frames.add_all(self._event_ids, digests)


class OptimizerPlan:
    """What to read of an optimizer at every step."""

    def __init__(self, version: int, sizes: list[int], names: list[str], unseen: list[int]) -> None:
        """Hold names of the parameters, valid for this version of the registry and these sizes of groups.

        `unseen` are the places of those that no model has that was called.
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
        name: Name of their event.
        digest: Their digest.
        values: The learning rates, as numbers.
    """

    def __init__(self, name: str, optimizer: Optimizer) -> None:
        """Digest what the parameter groups hold now."""
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
        """Whether the optimizer still has them."""
        is_same = list(map(id, list_options(optimizer))) == self._ids
        return is_same and list(map(tuple, optimizer.param_groups)) == self._keys


def list_options(optimizer: Optimizer) -> list[Any]:
    """Return what is in the groups of an optimizer, the lists of parameters among it."""
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
        """Know no optimizer yet."""
        self._evidence = evidence
        self._registry = registry
        self._plans: weakref.WeakKeyDictionary[Optimizer, OptimizerPlan] = weakref.WeakKeyDictionary()
        self._optimizers: list[weakref.ref[Optimizer]] = []
        self._classes: Counter[str] = Counter()
        self._names: weakref.WeakKeyDictionary[Optimizer, str] = weakref.WeakKeyDictionary()
        self._holdings = Holdings(evidence, registry)
        self.uninitialized: list[tuple[str, dict[str, Any], str]] = []

    def add_optimizer(self, optimizer: Optimizer) -> None:
        """Note that an optimizer exists: its parameters are its own to record."""
        self._optimizers.append(weakref.ref(optimizer))
        self._holdings.forget()

    def record_first_use(self, module: torch.nn.Module) -> None:
        """Record the initial state of a model that is called for the first time.

        Its events go to the front of the step: the model had this state before anything else in the step happened.
        """
        if not self._registry.add_root(module):
            return
        with self._evidence.frames.at_front():
            for name, held, key, _ in self._registry.holdings(module):
                if is_lazy(held[key]):
                    self.uninitialized.append((name, held, key))
                else:
                    self._evidence.record_tensor("init", name, held[key])

    def record_initialized(self) -> None:
        """Record the initial state of what lazy modules have made of their parameters in a call of their model."""
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
        """Record the parameters and the tensors of their state together, and what else the state holds one by one."""
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
        """Record learning rate and the like: where they part, the update is explained."""
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
        if plan is None or plan.sizes != sizes or plan.version != version:
            plan = self._plans[optimizer] = OptimizerPlan(version, sizes, *self._name_parameters(optimizer))
            self._holdings.forget()
        return plan

    def _name_parameters(self, optimizer: Optimizer) -> tuple[list[str], list[int]]:
        """Return the names of an optimizer's parameters, and which of them no called model has.

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
        """Return the class of an optimizer, numbered from the second of the class on."""
        name = self._names.get(optimizer)
        if name is None:
            kind = type(optimizer).__name__
            self._classes[kind] += 1
            name = self._names[optimizer] = kind if self._classes[kind] == 1 else f"{kind}#{self._classes[kind]}"
            self._registry.known.note(optimizer, name)
        return name


class Holdings:
    """Buffers, and parameters that no optimizer steps: frozen, averaged, or changed by hand."""

    def __init__(self, evidence: EvidenceRecorder, registry: Registry) -> None:
        """Know of none yet."""
        self._evidence = evidence
        self._registry = registry
        self._group = TensorGroup("update")
        self._version: tuple[int, int, int] | None = None
        self._places: list[tuple[dict[str, Any], str]] = []
        self._names: list[str] = []
        self._is_large = False

    def forget(self) -> None:
        """Have what models hold found out anew: it has changed which parameters optimizers step."""
        self._version = None

    def record(self, find_optimized: Callable[[], Iterable[torch.Tensor]]) -> None:
        """Record them, the large ones among them not at every step."""
        registry = self._registry
        version = (registry.version, registry.buffers_version, registry.num_roots)
        if version != self._version:
            self._version = version
            self._find(list(find_optimized()))
        if not self._places:
            return
        if self._is_large and self._evidence.frames.step % FROZEN_PERIOD:
            return
        if any(held.get(key) is None for held, key in self._places):  # a buffer was taken away
            self._find(list(find_optimized()))
        self._group.record(self._names, [held[key] for held, key in self._places], self._evidence)

    def _find(self, optimized: list[torch.Tensor]) -> None:
        seen = {id(parameter) for parameter in optimized}
        self._places, names = [], []
        num_bytes = 0
        for module, _ in self._registry.roots:
            for name, held, key, _ in self._registry.holdings(module):
                value = held[key]
                if id(value) not in seen:
                    seen.add(id(value))
                    self._places.append((held, key))
                    names.append(name)
                    num_bytes += 0 if is_lazy(value) else value.nbytes
        if names != self._names:  # else the same list, by which the group knows that nothing has changed
            self._names = names
        self._is_large = num_bytes > max(FROZEN_BYTES, FROZEN_SHARE * sum(p.nbytes for p in optimized))

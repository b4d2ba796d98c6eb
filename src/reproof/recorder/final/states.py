"""The last state of what a process trained or held, as events of stage ``final``.

A module or optimizer is read when it dies, or at the end of the recording if it is still there. Neither the order of
deaths nor whether something dies at all before the end is the same in two equal runs: garbage collection decides. So
nothing depends on it. What the recording knows by a name keeps that; all else goes by class, attribute and shape, and
the digests of one such place are compared as a multiset.
"""

from __future__ import annotations

import os
import struct
import weakref
from collections import Counter, defaultdict, deque
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import torch
from torch._subclasses.fake_tensor import FakeTensor
from torch.nn.parallel import DistributedDataParallel
from torch.nn.parameter import is_lazy
from torch.optim.optimizer import Optimizer

from reproof import digest as digests
from reproof.recorder.evidence import digest_leaf
from reproof.recorder.existing import find_existing
from reproof.recorder.final.deaths import observe_deaths
from reproof.recorder.final.holdings import Held, has_tensors, is_array, list_leaves, list_module, list_optimizer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from reproof.recorder.evidence import EvidenceRecorder
    from reproof.recorder.frames import Value
    from reproof.recorder.names import KnownNames

MAX_READ: Final = 1000
"""Of one class, so many dead instances are read; of more, each one whose number is a power of two.

By counts and never by time, or two runs would leave out different ones.
"""

MAX_GROUPS: Final = 8
"""So many process groups are kept until the models are gone that were trained over them.

Else the reducer of such a model is the last that holds a group which the script has destroyed. In PyTorch 2.13 it then
joins the thread of gloo with the interpreter's lock held, and that thread may wait for the lock to let go of its last
operation: the process stands still for ever (as in pytorch/pytorch#154976, which has the lock released where it is
Python that lets go of a group). It happens without us, too; but reading the model here makes it likelier.
"""

STRIPPED: Final = "other"
"""How the name of something begins that the training has neither called nor optimised: a copy, an average."""


class Reading(NamedTuple):
    """One tensor, as it was when it was read.

    Attributes:
        name: The place that it is compared at.
        problem: Why not, else None.
        num_tensors: 1, or 0 for options.
        values: Numbers that are kept: learning rates, and summary statistics where they are asked for.
        tensor: The tensor, if it outlived what held it and so may still change.
    """

    name: str
    digest: bytes | None
    problem: str | None
    num_tensors: int
    values: tuple[Value, ...]
    tensor: weakref.ref[torch.Tensor] | None


class FinalStates:
    """Reads what dies and what is left at the end."""

    def __init__(
        self,
        evidence: EvidenceRecorder,
        names: KnownNames,
        is_active: Callable[[], bool],
        on_error: Callable[[str, BaseException], None],
    ) -> None:
        """Read nothing before `watch`.

        `names` is what the recording calls modules and optimizers, `is_active` whether it is under way in this process,
        and `on_error` takes what went wrong.
        """
        self._evidence = evidence
        self._names = names
        self._is_active = is_active
        self._on_error = on_error
        self._process = os.getpid()
        self._readings: list[Reading] = []
        self._num_dead: Counter[type] = Counter()
        self._older: dict[int, type] = {}
        self._groups: deque[Any] = deque(maxlen=MAX_GROUPS)

    def watch(self, earlier: Iterable[Any] = ()) -> Callable[[], None]:
        """Begin to read what dies; return what ends it.

        Args:
            earlier: Modules and optimizers that exist before: they count only if the training uses them.
        """
        self._older = {id(thing): type(thing) for thing in earlier}
        return observe_deaths(self._on_death)

    def _on_death(self, dying: Any) -> None:
        """Read a module or optimizer that is being destroyed: within any code, so that only a list is appended to."""
        if not self._is_active() or os.getpid() != self._process:
            return
        if isinstance(dying, DistributedDataParallel):
            self._groups.append(getattr(dying, "process_group", None))
        try:
            self._read_dying(dying)
        except Exception as error:  # noqa: BLE001  # an error of ours must not be printed as one of the program's
            self._on_error("final state", error)
        finally:
            self._names.forget(dying)
            self._older.pop(id(dying), None)

    def _read_dying(self, dying: Any) -> None:
        is_optimizer = isinstance(dying, Optimizer)
        if not is_optimizer and not has_tensors(dying):
            return
        if self._is_older(dying):
            return
        kind = type(dying)
        self._num_dead[kind] += 1
        number = self._num_dead[kind]
        if number > MAX_READ and number & (number - 1):
            return
        self._readings += self._read_optimizer(dying) if is_optimizer else self._read_module(dying)

    def record(self, roots: Iterable[torch.nn.Module], leaves: Iterable[Held], *, is_whole: bool = True) -> None:
        """Record everything that was read, and what is still there.

        `roots` are models in use: `gc.freeze` may hide them from a search; `leaves` are tensors that were trained
        without a module or an optimizer. Not whole, only those models are read: what has died, and all that is found
        beside them, may belong to the training that goes on, and be another in each run.
        """
        readings = [self._read_again(reading) for reading in self._readings if is_whole]
        alive = self._find_alive(roots) if is_whole else [part for root in roots for part in root.modules()]
        for thing in alive:
            readings += self._read_optimizer(thing) if isinstance(thing, Optimizer) else self._read_module(thing)
        for name, leaf in leaves:
            readings += self._read(name, leaf)
        by_name: defaultdict[str, list[Reading]] = defaultdict(list)
        for reading in readings:
            by_name[reading.name].append(reading)
        for name in sorted(by_name):
            record_place(self._evidence, name, by_name[name])

    def _find_alive(self, roots: Iterable[torch.nn.Module]) -> list[Any]:
        """Return modules and optimizers that outlive the script, in no particular order."""
        found = {id(part): part for root in roots for part in torch.nn.Module.modules(root)}
        found |= {id(thing): thing for thing in find_existing(torch.nn.Module, Optimizer)}
        return [thing for thing in found.values() if not self._is_older(thing)]

    def _is_older(self, thing: Any) -> bool:
        """Whether something was there before the recording, which does not use it. Weak references would not tell."""
        return self._older.get(id(thing)) is type(thing) and self._names.find(thing) is None

    def _read_module(self, module: torch.nn.Module) -> list[Reading]:
        if not has_tensors(module):
            return []
        known = self._names.find(module)
        found: list[Reading] = []
        for path, value in list_module(module):
            name = f"{known}.{path}" if known is not None else name_other(type(module).__qualname__, path, value)
            found += self._read(name, value)
        return found

    def _read_optimizer(self, optimizer: Optimizer) -> list[Reading]:
        if not hasattr(optimizer, "param_groups"):
            return []  # its `__init__` has raised
        known = self._names.find(optimizer)
        found: list[Reading] = []
        for path, value in list_optimizer(optimizer):
            if path.endswith("hyper-parameters"):
                name = f"{known or f'{STRIPPED} {type(optimizer).__qualname__}'} {path}"
                found += self._read_options(name, value)
                continue
            for way, leaf in list_leaves(value, path):
                name = f"{known}.{way}" if known is not None else name_other(type(optimizer).__qualname__, way, leaf)
                found += self._read(name, leaf)
        return found

    def _read_options(self, name: str, options: dict[str, Any]) -> list[Reading]:
        """Read the learning rate and the like, tensors among them."""
        found: list[Reading] = []
        plain: dict[str, Any] = {}
        for key, value in options.items():
            held = list(list_leaves(value, f"{name} {key}"))
            found += (reading for way, leaf in held for reading in self._read(way, leaf))
            if not held and isinstance(value, (bool, int, float, str, tuple)):
                plain[key] = value
        try:
            return [*found, Reading(name, digests.digest_plain(plain), None, 0, find_rate(plain), None)]
        except digests.CannotDigestError:  # a tuple of objects: they steer nothing that is known
            return found

    def _read(self, name: str, leaf: Any) -> Iterator[Reading]:
        if isinstance(leaf, torch.Tensor) and not has_data(leaf):
            return
        if self._evidence.look is not None:
            self._evidence.look("final", name, leaf)
        try:
            taken, num_tensors = digest_leaf(leaf)
        except digests.CannotDigestError as error:
            yield Reading(name, None, error.problem, 0, (), None)
            return
        statistics = digests.statistics(leaf) if self._evidence.keeps_statistics else None
        values: tuple[Value, ...] = () if statistics is None else (("statistics", "d", statistics),)
        reference = weakref.ref(leaf) if isinstance(leaf, torch.Tensor) else None
        yield Reading(name, taken, None, num_tensors, values, reference)

    def _read_again(self, reading: Reading) -> Reading:
        """Return what a tensor holds now that was read when its module died, if something else holds it since."""
        tensor = None if reading.tensor is None else reading.tensor()
        return reading if tensor is None else next(self._read(reading.name, tensor), reading)


def find_rate(options: dict[str, Any]) -> tuple[Value, ...]:
    """Return the learning rate of a group, if it is a number."""
    rate = options.get("lr")
    return (("exact", "d", struct.pack("<d", rate)),) if isinstance(rate, float) else ()


def has_data(tensor: torch.Tensor) -> bool:
    """Whether a tensor has data in this process that can be read now."""
    if tensor.is_meta or is_lazy(tensor) or isinstance(tensor, FakeTensor):
        return False
    return not (tensor.is_cuda and torch.cuda.is_current_stream_capturing())


def name_other(kind: str, path: str, value: Any) -> str:
    """Name a place in something that the recording does not know: by class, attribute and shape."""
    shape = list(value.shape) if isinstance(value, torch.Tensor) or is_array(value) else ""
    return f"{STRIPPED} {kind}.{path} {shape}".rstrip()


def record_place(evidence: EvidenceRecorder, name: str, readings: list[Reading]) -> None:
    """Record what was read at one place: one tensor, or a multiset of them."""
    if (problem := next((reading.problem for reading in readings if reading.problem), None)) is not None:
        evidence.skip("final", name, None, problem)
        return
    members = sorted(reading.digest for reading in readings if reading.digest is not None)
    num_tensors = sum(reading.num_tensors for reading in readings)
    if len(members) == 1:
        evidence.record_digest("final", name, members[0], num_tensors=num_tensors, values=readings[0].values)
        return
    taken = digests.digest_plain([member.hex() for member in members])
    values = (("members", "Q", b"".join(members)),)
    evidence.record_digest("final", name, taken, num_tensors=num_tensors, values=values)

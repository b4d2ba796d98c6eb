"""Record every operation that PyTorch dispatches, below autograd: what it reads and what it makes.

`OpRecorder` is a dispatch mode: PyTorch hands it each operation of the thread that entered it, and of autograd's
threads that work for that one. It executes the operation as it was called and returns what it returned. Memory is what
counts: tensors that an operation changes in place are digested before and after, whatever it returns.

Not seen: operations inside of compiled regions (`torch.compile`) and of other threads, and what changes memory without
PyTorch (numpy, C++): that shows as an input that differs and that no operation has made.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

import torch
from torch.nn.parameter import is_lazy
from xxhash import xxh3_64_intdigest

from reproof.digest import CannotDigestError, copy_bytes, digest_in_memory_order
from reproof.recorder.probes.modes import ProbeMode
from reproof.recorder.probes.op_effects import Effects, effects_of, fresh_tensors
from reproof.recorder.tracing import is_tracing
from reproof.schema import NO_DIGEST
from reproof.trace import op_format as fmt

if TYPE_CHECKING:
    from reproof.recorder.frames import FrameBuilder
    from reproof.recorder.probes.op_sites import OpSites, Whereabouts
    from reproof.recorder.probes.repetition import Repetition
    from reproof.recorder.problems import Problems
    from reproof.trace.op_writer import OpWriter

MAX_STORAGES: Final = 1 << 20
VALUES_BYTES: Final = 256 << 20
"""Elements of outputs are kept, where that is asked for, up to so many bytes in all."""

NO_SHAPE: Final = torch.Size()
"""Shape written for a parameter of a lazy module, which has none yet."""

PLAIN: Final = (
    bool,
    int,
    float,
    complex,
    str,
    type(None),
    torch.dtype,
    torch.device,
    torch.layout,
    torch.memory_format,
)


class Observation:
    """What was seen of an operation before it was executed."""

    __slots__ = ("arguments", "effects", "inputs", "mutated", "num_bytes", "num_events", "where")

    def __init__(self, effects: Effects, where: Whereabouts, num_events: int) -> None:
        """Start without inputs."""
        self.effects = effects
        self.where = where
        self.num_events = num_events
        self.arguments = 0
        self.inputs: list[bytes] = []
        self.mutated: list[tuple[int, torch.Tensor]] = []
        self.num_bytes: int | None = None  # of what is to be resized

    def has_grown(self) -> bool:
        """Whether a tensor was resized, and has memory now that nothing has written."""
        return self.num_bytes is not None and any(
            tensor.untyped_storage().nbytes() > self.num_bytes for _, tensor in self.mutated
        )


class Outputs:
    """What an operation has made: packed for the trace, and the tensors whose elements are kept."""

    __slots__ = ("kept", "packed")

    def __init__(self) -> None:
        """Start without outputs."""
        self.packed: list[bytes] = []
        self.kept: list[tuple[int, torch.Tensor]] = []


class OpRecorder(ProbeMode):
    """Records the operations of the steps of a window.

    Attributes:
        is_active: Whether operations are recorded; else they are only passed on.
        repetition: Executes operations again where that is asked for, or None.
    """

    def __init__(self, writer: OpWriter, sites: OpSites, frames: FrameBuilder, problems: Problems) -> None:
        """Prepare to record.

        `sites` finds where an operation belongs, `frames` has the number of the step and of the events so far.
        """
        super().__init__()  # type: ignore[no-untyped-call]
        self.is_active = False
        self.keeps_values = False
        self.repetition: Repetition | None = None
        self._writer = writer
        self._sites = sites
        self._frames = frames
        self._problems = problems
        self._lock = threading.RLock()
        self._places: dict[tuple[Any, Whereabouts], int] = {}
        self._types: dict[tuple[torch.dtype, torch.Size], int] = {}
        self._storages: dict[int, int] = {}
        self._unwritten: set[int] = set()
        self._values_left = VALUES_BYTES

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Execute an operation and record it."""
        kwargs = kwargs or {}
        if not self.is_active:
            return func(*args, **kwargs)
        seen: Observation | None = None
        try:
            seen = self._before(func, args, kwargs)
        except Exception as error:  # noqa: BLE001  # whatever it is, the training goes on
            self._problems.add_error("operation", error)
        if seen is None or self.repetition is None:
            result = func(*args, **kwargs)
        else:
            self.repetition.step, self.repetition.num_events = self._frames.step, seen.num_events
            result = self.repetition.around(func, args, kwargs, seen.effects, seen.where)
        if seen is not None:
            try:
                self._after(func, seen, result)
            except Exception as error:  # noqa: BLE001  # as above
                self._problems.add_error("operation", error)
        return result

    def _before(self, func: Any, args: Any, kwargs: Any) -> Observation | None:
        effects = effects_of(func)
        if effects.is_ignored or is_tracing():
            return None
        with self._lock:
            seen = Observation(effects, self._sites.locate(), self._frames.num_events)
            plain: list[Any] = []
            for position, value in enumerate(args):
                self._take(seen, position, value, plain)
            for name, value in kwargs.items():
                self._take(seen, effects.positions.get(name, len(args)), value, plain)
            if plain:
                seen.arguments = xxh3_64_intdigest(repr(plain).encode())
        return seen

    def _take(self, seen: Observation, position: int, value: Any, plain: list[Any]) -> None:
        if isinstance(value, torch.Tensor):
            self._take_input(seen, position, value)
        elif isinstance(value, PLAIN):
            plain.append(value)
        elif isinstance(value, (list, tuple)):
            for part in value:
                self._take(seen, position, part, plain)
        else:
            plain.append(type(value))

    def _take_input(self, seen: Observation, position: int, tensor: torch.Tensor) -> None:
        effects = seen.effects
        address = address_of(tensor)
        if position in effects.mutated:
            seen.mutated.append((position, tensor))
            if effects.resizes:
                seen.num_bytes = tensor.untyped_storage().nbytes() if tensor.numel() else 0
        if effects.is_view or position in effects.overwritten:
            seen.inputs.append(self._pack(tensor, address, position, fmt.VIEW))
        else:
            flags = fmt.UNWRITTEN if address in self._unwritten else 0
            seen.inputs.append(self._pack(tensor, address, position, flags))

    def _after(self, func: Any, seen: Observation, result: Any) -> None:
        effects = seen.effects
        outputs = Outputs()
        with self._lock:
            flags = fmt.MUTATED | (fmt.VIEW if effects.is_view else fmt.UNWRITTEN if seen.has_grown() else 0)
            for position, tensor in seen.mutated:
                self._take_output(outputs, position, tensor, flags)
            flags = fmt.VIEW if effects.is_view else fmt.UNWRITTEN if effects.allocates else 0
            for position, tensor in fresh_tensors(effects, result):
                self._take_output(outputs, position, tensor, fmt.UNWRITTEN if position in effects.scratch else flags)
            num_events, place = seen.num_events & 0xFFFFFFFF, self._place_id(func, seen)
            head = fmt.OP.pack(place, num_events, seen.arguments, len(seen.inputs), len(outputs.packed))
            number = self._writer.add(self._frames.step, b"".join((head, *seen.inputs, *outputs.packed)))
            for output, tensor in outputs.kept:
                self._keep_values(number, output, tensor)

    def _take_output(self, outputs: Outputs, position: int, tensor: torch.Tensor, flags: int) -> None:
        address = address_of(tensor)
        if flags & fmt.UNWRITTEN:
            if address:
                self._unwritten.add(address)
        elif not flags & fmt.VIEW:
            self._unwritten.discard(address)
            if self.keeps_values:
                outputs.kept.append((len(outputs.packed), tensor))
        outputs.packed.append(self._pack(tensor, address, position, flags))

    def _pack(self, tensor: torch.Tensor, address: int, position: int, flags: int) -> bytes:
        digest = NO_DIGEST
        if not flags & fmt.WITHOUT_DIGEST:
            try:
                digest = digest_in_memory_order(tensor)
            except CannotDigestError:
                flags |= fmt.UNREADABLE
        return fmt.TENSOR.pack(self._type_id(tensor), self._storage_number(address), position, flags, digest)

    def _type_id(self, tensor: torch.Tensor) -> int:
        key = (tensor.dtype, NO_SHAPE if is_lazy(tensor) else tensor.shape)
        known = self._types.get(key)
        if known is None:
            kind = fmt.TensorType(
                str(tensor.dtype).removeprefix("torch."), tuple(size if type(size) is int else 0 for size in key[1])
            )
            known = self._types[key] = self._writer.type_id(kind)
        return known

    def _storage_number(self, address: int) -> int:
        if not address:
            return 0
        known = self._storages.get(address)
        if known is None:
            if len(self._storages) >= MAX_STORAGES:
                self._storages.clear()
            known = self._storages[address] = len(self._storages) + 1
        return known

    def _place_id(self, func: Any, seen: Observation) -> int:
        key = (func, seen.where)
        known = self._places.get(key)
        if known is None:
            known = self._places[key] = self._writer.place_id(place_of(seen.effects, seen.where))
        return known

    def _keep_values(self, number: int, output: int, tensor: torch.Tensor) -> None:
        if tensor.numel() * tensor.element_size() > self._values_left:
            return
        try:
            kept = copy_bytes(tensor)
        except CannotDigestError:
            return
        if kept is not None:
            self._values_left -= len(kept)
            self._writer.add_values(number, output, self._type_id(tensor), kept)


def place_of(effects: Effects, where: Whereabouts) -> fmt.OpPlace:
    """Return the place of an operation in the form of the trace."""
    return fmt.OpPlace(
        name=effects.name,
        overload=effects.overload,
        phase=where.phase,
        module=where.module,
        file=where.site.file,
        line=where.site.line,
        function=where.site.function,
        is_random=effects.is_random,
    )


def address_of(tensor: torch.Tensor) -> int:
    """Return the address at which the memory of a tensor begins; 0 if it has none, or none that can be read."""
    try:
        return tensor.untyped_storage().data_ptr()
    except (RuntimeError, NotImplementedError):
        return 0

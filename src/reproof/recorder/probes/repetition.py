"""Execute each operation again on the same inputs, and see whether it gives the same bits.

Two runs that differ show that something is not deterministic; this shows within one run which operation it is. Each
operation is executed several times more, below autograd, at the threads as they are. One that gives other bits is
executed under each condition that might make it stable. Operations that draw random numbers, only make views or talk to
other processes are left out.

The training goes on with its own result. Still this is an experiment: setting the number of threads changes how MKL
chooses it from then on, which is done only after an operation was found to be unstable.
"""

from __future__ import annotations

import time
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import torch

from reproof.digest import CannotDigestError, digest_in_memory_order
from reproof.recorder.probes.conditions import deterministic_algorithms, isolated, one_thread
from reproof.recorder.probes.copies import MAX_BYTES, copy_tensors, is_plain, tensors_in
from reproof.recorder.probes.op_effects import Effects, fresh_tensors
from reproof.schema import UnstableOp

if TYPE_CHECKING:
    from reproof.recorder.probes.op_sites import Whereabouts
    from reproof.recorder.problems import Problems
    from reproof.trace.probes import RepetitionWriter

NUM_REPETITIONS: Final = 8
NUM_SUSPICIOUS: Final = 48
"""Executions of an operation that other measures have shown to be suspicious."""

NUM_DISTINCT_OF_COPY: Final = 2
"""Number of distinct results of an operation that is stable, but computes otherwise on copies of what it changes."""

NUM_CONFIRMING: Final = 16
"""Executions needed at least to conclude that a condition makes an operation stable."""

MAX_UNSTABLE: Final = 200
SECONDS: Final = 20.0

NAMESPACES: Final = frozenset({"aten", "mkl", "mkldnn", "prims", "quantized", "torchvision"})
"""Namespaces that are repeated: operations of others may have effects that their schemas do not tell."""

SUSPICIOUS: Final = (
    "index_put",
    "scatter",
    "index_add",
    "embedding_dense_backward",
    "embedding_bag",
    "bincount",
    "histc",
)
"""Parts of names of operations that add to the same element more than once."""

ONE_THREAD: Final = "one thread"
DETERMINISTIC: Final = "deterministic algorithms"

Results = tuple[bytes, ...]


class Call(NamedTuple):
    """A call of an operation that can be executed again: arguments that it changes are copies.

    Attributes:
        effects: What it does to memory.
        is_differentiated: Whether gradients were recorded: some operations keep more then.
    """

    func: Any
    effects: Effects
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    is_differentiated: bool

    def execute(self) -> list[torch.Tensor]:
        """Execute it on fresh copies of what it changes; return what it makes."""
        mutated: list[torch.Tensor] = []

        def fresh(position: int, value: Any) -> Any:
            if position not in self.effects.mutated:
                return value
            copied = copy_tensors(value)
            mutated.extend(tensors_in(copied))
            return copied

        positions = self.effects.positions
        args = [fresh(i, value) for i, value in enumerate(self.args)]
        kwargs = {name: fresh(positions.get(name, -1), value) for name, value in self.kwargs.items()}
        with torch.set_grad_enabled(self.is_differentiated):  # below autograd, which records nothing here
            result = self.func(*args, **kwargs)
        return mutated + lasting_tensors(self.effects, result)


class Repetition:
    """Executes operations again, for one recording.

    Attributes:
        num_unstable: Operations that gave other bits.
        step: The step under way, told by whoever asks for repetitions.
        num_events: Events recorded so far, told likewise.
    """

    def __init__(self, writer: RepetitionWriter, problems: Problems, *, seconds: float = SECONDS) -> None:
        """Start with nothing repeated. The time to spend in all is `seconds`."""
        self.num_repeated = 0
        self.num_left_out = 0
        self.num_unstable = 0
        self.step = 0
        self.num_events = 0
        self._writer = writer
        self._problems = problems
        self._seconds_left = seconds
        self._seconds = seconds

    def close(self) -> None:
        """Write how much was done."""
        self._writer.close(self.num_repeated, self.num_left_out)

    def around(self, func: Any, args: Any, kwargs: Any, effects: Effects, where: Whereabouts) -> Any:
        """Execute an operation for the training, then again to compare; return the training's result."""
        call = None
        try:
            call = self._prepare(func, effects, args, kwargs)
        except Exception as error:  # noqa: BLE001  # whatever it is, the training goes on
            self._problems.add_error("repetition", error)
        result = func(*args, **kwargs)
        if call is not None:
            try:
                self._repeat(call, made_by(effects, args, kwargs, result), where)
            except Exception as error:  # noqa: BLE001  # as above
                self._problems.add_error("repetition", error)
        return result

    def _prepare(self, func: Any, effects: Effects, args: Any, kwargs: Any) -> Call | None:
        """Copy what an operation will change; return None if it cannot be executed again."""
        if effects.is_view or effects.allocates or not (effects.fresh or effects.mutated):
            return None
        namespace = effects.name.partition("::")[0]
        tensors = list(tensors_in((args, list(kwargs.values()))))
        can = (
            self._seconds_left > 0
            and self.num_unstable < MAX_UNSTABLE
            and namespace in NAMESPACES
            and not effects.is_random
            and not effects.resizes
            and not any(isinstance(value, torch.Generator) for value in (*args, *kwargs.values()))
            and all(is_plain(tensor) for tensor in tensors)
            and sum(tensor.numel() * tensor.element_size() for tensor in tensors) <= MAX_BYTES
        )
        if not can or not effects.has_results or shares_what_it_changes(effects, args, kwargs):
            self.num_left_out += bool(tensors)
            return None
        with isolated():
            kept = [copy_tensors(value) if i in effects.mutated else value for i, value in enumerate(args)]
            positions = effects.positions
            kept_kwargs = {
                name: copy_tensors(value) if positions.get(name) in effects.mutated else value
                for name, value in kwargs.items()
            }
        return Call(func, effects, tuple(kept), kept_kwargs, torch.is_grad_enabled())

    def _repeat(self, call: Call, made: list[torch.Tensor], where: Whereabouts) -> None:
        if not made:
            return
        start = time.perf_counter()
        try:
            with isolated():
                self.num_repeated += 1
                first = results_of(made)
                # Once half of the time is spent, fewer repetitions let the rest reach more operations.
                limit = NUM_REPETITIONS if self._seconds_left > self._seconds / 2 else NUM_REPETITIONS // 2
                found, other = repeat(call, limit, first)
                if len(found) == 1 and is_suspicious(call, first):
                    found, other = repeat(call, NUM_SUSPICIOUS, first)
                # The training computed on the original, all repetitions on copies. If only its result is another, the
                # difference may come from the copying: compare repetitions among themselves.
                if (
                    other is not None
                    and call.effects.mutated
                    and found[first] == 1
                    and len(found) == NUM_DISTINCT_OF_COPY
                ):
                    found, other = repeat(call, NUM_SUSPICIOUS, None)
                if other is not None:
                    self._report(call, where, made, found, other)
        except CannotDigestError:
            self.num_left_out += 1
        finally:
            self._seconds_left -= time.perf_counter() - start

    def _report(
        self,
        call: Call,
        where: Whereabouts,
        made: list[torch.Tensor],
        found: dict[Results, int],
        other: list[torch.Tensor],
    ) -> None:
        num_results = sum(found.values())
        stable: list[str] = []
        raises: list[str] = []
        for name, condition in ((ONE_THREAD, one_thread), (DETERMINISTIC, deterministic_algorithms)):
            try:
                with condition():
                    under = repeat(call, max(NUM_CONFIRMING, num_results), None)[0]
            except RuntimeError:
                raises.append(name)
                continue
            if len(under) == 1:
                stable.append(name)
        measured = [measure(x, y) for x, y in zip(made, other, strict=True)]
        self.num_unstable += 1
        self._writer.add(
            UnstableOp(
                step=self.step,
                num_events=self.num_events,
                name=call.effects.name,
                overload=call.effects.overload,
                phase=where.phase,
                module=where.module,
                file=where.site.file,
                line=where.site.line,
                function=where.site.function,
                num_results=num_results,
                num_distinct=len(found),
                num_elements=sum(tensor.numel() for tensor in made),
                num_differing=sum(m.num_differing for m in measured),
                max_abs=max((m.max_abs for m in measured if m.max_abs is not None), default=None),
                max_ulp=max((m.max_ulp for m in measured if m.max_ulp is not None), default=None),
                ulps=tuple(map(sum, zip_longest(*(m.ulps for m in measured), fillvalue=0))),
                stable_with=tuple(stable),
                raises_with=tuple(raises),
            )
        )


def repeat(call: Call, times: int, first: Results | None) -> tuple[dict[Results, int], list[torch.Tensor] | None]:
    """Execute a call several times; return how often each result came, and the first that differs.

    The result of the training, `first`, counts as one more; None to begin with the first of these.
    """
    found: dict[Results, int] = {} if first is None else {first: 1}
    other = None
    for _ in range(times):
        made = call.execute()
        results = results_of(made)
        if found and results not in found and other is None:
            other = made
        found[results] = found.get(results, 0) + 1
    return found, other


def is_suspicious(call: Call, first: Results) -> bool:
    """Whether more executions are worthwhile: by its name, or because PyTorch has a deterministic algorithm for it."""
    if any(part in call.effects.name for part in SUSPICIOUS):
        return True
    try:
        with deterministic_algorithms():
            return results_of(call.execute()) != first
    except RuntimeError:
        return True  # PyTorch has no deterministic algorithm for it


def results_of(tensors: list[torch.Tensor]) -> Results:
    """Return the digests of tensors."""
    return tuple(digest_in_memory_order(tensor) for tensor in tensors)


def made_by(effects: Effects, args: Any, kwargs: Any, result: Any) -> list[torch.Tensor]:
    """Return what a call has made: the arguments that it changed, and its results."""
    positions = effects.positions
    mutated = [value for i, value in enumerate(args) if i in effects.mutated]
    mutated += [value for name, value in kwargs.items() if positions.get(name) in effects.mutated]
    return [*tensors_in(mutated), *lasting_tensors(effects, result)]


def lasting_tensors(effects: Effects, result: Any) -> list[torch.Tensor]:
    """Return the tensors that an operation has returned, without those of which parts are never written."""
    return [tensor for position, tensor in fresh_tensors(effects, result) if position not in effects.scratch]


def shares_what_it_changes(effects: Effects, args: Any, kwargs: Any) -> bool:
    """Whether a tensor that an operation changes shares memory with another argument: copies would not."""
    if not effects.mutated:
        return False
    positions = effects.positions
    changed: list[int] = []
    others: set[int] = set()
    for position, value in [*enumerate(args), *((positions.get(name), value) for name, value in kwargs.items())]:
        addresses = [tensor.untyped_storage().data_ptr() for tensor in tensors_in(value) if tensor.numel()]
        if position in effects.mutated:
            changed += addresses
        else:
            others.update(addresses)
    return len(set(changed)) < len(changed) or not others.isdisjoint(changed)


INTEGER_OF: Final = {
    torch.float16: torch.int16,
    torch.bfloat16: torch.int16,
    torch.float32: torch.int32,
    torch.float64: torch.int64,
}


class Measured(NamedTuple):
    """How two tensors differ.

    Attributes:
        num_differing: Elements whose bits differ.
        max_abs: Largest absolute difference of finite elements; None if none of them differ.
        max_ulp: The same in units in the last place; None for integers, too.
        ulps: How many are 1, 2 to 3, 4 to 7, … units in the last place apart.
    """

    num_differing: int
    max_abs: float | None = None
    max_ulp: int | None = None
    ulps: tuple[int, ...] = ()


def measure(x: torch.Tensor, y: torch.Tensor) -> Measured:
    """Return how two tensors of one type and shape differ; complex numbers are taken as pairs."""
    if x.is_complex():
        x, y = torch.view_as_real(x.resolve_conj()), torch.view_as_real(y.resolve_conj())
    if x.dtype not in INTEGER_OF:
        differing = (x != y).sum().item()
        gap = (x.double() - y.double()).abs().max().item() if differing else None
        return Measured(int(differing), gap)
    kind = INTEGER_OF[x.dtype]
    p, q = x.contiguous().view(kind).long(), y.contiguous().view(kind).long()
    num_differing = int((p != q).sum().item())
    finite = (p != q) & x.isfinite() & y.isfinite()
    if not finite.any():
        return Measured(num_differing)
    gap = (x[finite].double() - y[finite].double()).abs().max().item()
    distances = (ordinals(p[finite], kind) - ordinals(q[finite], kind)).abs()
    sizes = distances[distances > 0].double().log2().long()  # both zeros are none apart
    return Measured(num_differing, gap, int(distances.max().item()), tuple(torch.bincount(sizes).tolist()))


def ordinals(bits: torch.Tensor, kind: torch.dtype) -> torch.Tensor:
    """Number floats, given by their bits, in increasing order, with both zeros at 0."""
    lowest = torch.iinfo(kind).min
    return torch.where(bits >= 0, bits, lowest - bits)

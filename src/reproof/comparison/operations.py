"""Find the operation at which two runs part, from what both have recorded of the operations of a step.

Differences spread: what reads a tensor that differs makes another that does. An operation is a *source* of a difference
if nothing that it reads got it from an operation before: its inputs agree and its outputs do not; or an input differs
that no operation has made; or a number that Python code has given it. Where the divergent evidence is the output of an
operation, only sources that lead there count; else all before it do.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from reproof.comparison.elements import Elements, compare_elements
from reproof.comparison.op_alignment import align_ops
from reproof.schema import OpCause, OpDifference
from reproof.schema.telling import plural
from reproof.trace import op_format as fmt

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reproof.trace.op_format import Op, OpPlace, OpTensor
    from reproof.trace.op_reader import OpTrace

READS_NUMBER: Final = ("aten::_local_scalar_dense", "aten::item", "aten::equal", "aten::is_nonzero", "aten::nonzero")
"""Operations that give Python code numbers: if one of them differs, later numbers may differ because of it."""

MAX_TOLD: Final = 6
"""Inputs that are told of an operation, and outputs."""

GIVEN: Final = ("argument", "outside")
"""Causes that lie outside of operations: they are named where no operation makes a difference itself."""


class Target(NamedTuple):
    """The first event that differs: what an operation must have led to.

    Attributes:
        num_events: Events recorded before it in the baseline; operations after it do not count. None if unknown.
        digest: Its digest in the baseline.
    """

    num_events: int | None
    digest: bytes


class Source(NamedTuple):
    """An operation where a difference begins."""

    cause: OpCause
    a: Op
    b: Op
    tensor: int
    allocated: OpPlace | None = None


class Spread:
    """Follows differences through the memory of the baseline, operation by operation.

    Where a tensor differs because of several sources, it is the earliest that is kept.

    Attributes:
        sources: Where differences begin, in execution order.
        target: Number of the source that led to the target, or None if no operation made it.
    """

    def __init__(self, target: Target | None) -> None:
        """Start without any difference."""
        self.sources: list[Source] = []
        self.target: int | None = None
        self._target = target
        self._tainted: dict[int, int] = {}
        self._allocated: dict[int, OpPlace] = {}
        self._sizes: dict[int, fmt.TensorType] = {}
        self._python: int | None = None

    def follow(self, a: Op, b: Op) -> None:
        """Take in the next operation that both runs have executed."""
        reached = self._from_inputs(a, b)
        differing = {i for i, pair in enumerate(zip(a.outputs, b.outputs, strict=False)) if differs(*pair)}
        if differing and reached is None:
            reached = self._add_own(a, b, min(differing))
        if a.place.name in READS_NUMBER:
            self._python = earliest(self._python, reached)
        self._spread(a, reached, differing)
        self._clean(a, b)

    def _add_own(self, a: Op, b: Op, output: int) -> int:
        """Add an operation that makes a difference itself: it draws, computes otherwise, or reads what nobody wrote."""
        unwritten = next((i for i, tensor in enumerate(a.inputs) if tensor.flags & fmt.UNWRITTEN), None)
        if a.place.is_random or unwritten is None:
            return self._add(Source("random" if a.place.is_random else "computed", a, b, output))
        allocated = self._allocated.get(a.inputs[unwritten].storage)
        return self._add(Source("uninitialized", a, b, unwritten, allocated))

    def _from_inputs(self, a: Op, b: Op) -> int | None:
        """Return the source of what differs in the inputs of an operation."""
        reached: int | None = None
        for i, (x, y) in enumerate(zip(a.inputs, b.inputs, strict=False)):
            if differs(x, y):
                known = self._tainted.get(x.storage)
                reached = earliest(reached, self._add_outside(a, b, i) if known is None else known)
        if a.arguments != b.arguments and reached is None:
            return self._add(Source("argument", a, b, 0)) if self._python is None else self._python
        return reached

    def _add_outside(self, a: Op, b: Op, tensor: int) -> int:
        storage = a.inputs[tensor].storage
        allocated = self._allocated.get(storage)
        cause: OpCause = "outside" if allocated is None else "uninitialized"
        found = self._tainted[storage] = self._add(Source(cause, a, b, tensor, allocated))
        return found

    def _add(self, source: Source) -> int:
        self.sources.append(source)
        return len(self.sources) - 1

    def _spread(self, op: Op, reached: int | None, differing: set[int]) -> None:
        for i, output in enumerate(op.outputs):
            is_new = not output.flags & (fmt.VIEW | fmt.MUTATED)
            if is_new:
                self._tainted.pop(output.storage, None)
                self._allocated.pop(output.storage, None)
                self._sizes[output.storage] = output.kind
            if output.flags & fmt.UNWRITTEN:
                self._allocated[output.storage] = op.place
            elif output.kind == self._sizes.get(output.storage) and overwrites(op, output):
                self._allocated.pop(output.storage, None)
            if i in differing and reached is not None:
                self._tainted[output.storage] = min(reached, self._tainted.get(output.storage, reached))
                if self._target is not None and output.digest == self._target.digest:
                    self.target = reached

    def _clean(self, a: Op, b: Op) -> None:
        """Forget what differed in memory that an operation has written in whole, and that agrees now."""
        for x, y in zip(a.outputs, b.outputs, strict=False):
            is_whole = x.flags & fmt.MUTATED and x.kind == self._sizes.get(x.storage)
            if is_whole and x.has_digest and y.has_digest and not differs(x, y):
                self._tainted.pop(x.storage, None)

    def lasting(self) -> list[Source]:
        """Return the sources of what still differs, in memory or in a number that Python code has read."""
        numbers = {*self._tainted.values(), self._python}
        return [self.sources[number] for number in sorted(n for n in numbers if n is not None)]


def overwrites(op: Op, output: OpTensor) -> bool:
    """Whether an operation writes every element of a tensor, of which it has read none."""
    is_written = output.flags & fmt.MUTATED and not output.flags & fmt.VIEW
    return bool(is_written) and any(one.storage == output.storage and one.flags & fmt.VIEW for one in op.inputs)


def earliest(a: int | None, b: int | None) -> int | None:
    """Return the smaller of two numbers, of which either may be missing."""
    return b if a is None else a if b is None else min(a, b)


def differs(x: OpTensor, y: OpTensor) -> bool:
    """Whether two tensors are known to differ."""
    if x.kind != y.kind:
        return True
    return x.has_digest and y.has_digest and x.digest != y.digest


def find_op_difference(
    baseline: OpTrace, candidate: OpTrace, step: int, target: Target | None = None
) -> OpDifference | None:
    """Find the operation at which two runs part within a step.

    Up to that step the runs agree; `target` is the first event that differs, if it is known. None if both have no
    operations of this step, or none of them differs. Raises TraceError if a trace is damaged.
    """
    source = find_source(baseline.ops(step), candidate.ops(step), target)
    if source is None:
        return None
    elements = None
    if source.cause in ("computed", "random"):
        kept = [
            trace.values(step, op.number, source.tensor) for trace, op in ((baseline, source.a), (candidate, source.b))
        ]
        if kept[0] is not None and kept[1] is not None and kept[0][0] == kept[1][0]:
            elements = compare_elements(kept[0][0].dtype, kept[0][0].shape, kept[0][1], kept[1][1])
    return describe(source, elements)


def find_source(a: Sequence[Op], b: Sequence[Op], target: Target | None = None) -> Source | None:
    """Return where the difference begins that led to the target, or the first of all."""
    spread = Spread(target)
    for x, y in align_ops(a, b):
        if target is not None and target.num_events is not None and x.num_events > target.num_events:
            break
        spread.follow(x, y)
    if spread.target is not None:
        return spread.sources[spread.target]
    for sources in (spread.lasting(), spread.sources):
        if (computed := next((source for source in sources if source.cause not in GIVEN), None)) is not None:
            return computed
    return next(iter(spread.sources), None)


def describe(source: Source, elements: Elements | None) -> OpDifference:
    """Return the source of a difference in the words of the schema."""
    place = source.a.place if source.allocated is None else source.allocated
    tensors = source.a.inputs if source.cause in ("outside", "uninitialized") else source.a.outputs
    kind = tensors[source.tensor].kind if source.tensor < len(tensors) else fmt.TensorType("", ())
    return OpDifference(
        cause=source.cause,
        name=place.name,
        overload=place.overload,
        phase=place.phase,
        module=place.module,
        file=place.file,
        line=place.line,
        function=place.function,
        number=source.a.number,
        output=source.tensor,
        dtype=kind.dtype,
        shape=kind.shape,
        num_elements=math.prod(kind.shape),
        explanation=explain(source, elements),
        num_differing=None if elements is None else elements.num_differing,
        max_abs=None if elements is None else elements.max_abs,
        max_ulp=None if elements is None else elements.max_ulp,
        ulps=() if elements is None else elements.ulps,
        examples=() if elements is None else elements.examples,
        tensors=tuple(_tell_tensors(source, elements)),
    )


def _tell_tensors(source: Source, elements: Elements | None) -> Iterator[str]:
    """Yield a line for each of the first tensors that an operation reads and makes."""
    for role, ours, theirs in (
        ("input", source.a.inputs, source.b.inputs),
        ("output", source.a.outputs, source.b.outputs),
    ):
        pairs = list(zip(ours, theirs, strict=False))
        for i, pair in enumerate(pairs[:MAX_TOLD]):
            is_measured = role == "output" and i == source.tensor
            yield f"{role} {i}: {_tell_pair(*pair, elements if is_measured else None)}"
        if more := pairs[MAX_TOLD:]:
            yield f"{plural(len(more), f'more {role}')}, of which {sum(differs(*pair) for pair in more)} differ"


def _tell_pair(x: OpTensor, y: OpTensor, elements: Elements | None) -> str:
    if x.kind != y.kind:
        return f"{x.kind} in the baseline, {y.kind} in the candidate"
    if (x.flags | y.flags) & fmt.UNWRITTEN:
        return f"{x.kind}, memory that nothing has written"
    if not (x.has_digest and y.has_digest):
        return f"{x.kind}, not compared by itself" if (x.flags | y.flags) & fmt.VIEW else f"{x.kind}, not readable"
    if x.digest == y.digest:
        return f"{x.kind}, equal to the bit"
    return f"{x.kind}, differs{'' if elements is None else f' {elements}'}"


def explain(source: Source, elements: Elements | None) -> str:
    """Say in one sentence what was found."""
    name = source.a.place.name
    if source.cause == "uninitialized":
        return f"{name} reads memory that differs, and that nothing has written in whole since it was allocated"
    if source.cause == "outside":
        return f"input {source.tensor} of {name} differs and no operation has made it: the data itself"
    if source.cause == "argument":
        return f"{name} was given another number by Python code; its tensors agree up to here"
    told = "" if elements is None else f" in {elements.num_differing} of {elements.num_elements} elements"
    if source.cause == "random":
        return f"{name} draws other random numbers{told}: its inputs agree and its generator was in another state"
    return f"the inputs of {name} agree, and output {source.tensor} differs{told}"

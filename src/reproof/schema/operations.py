"""What is known of single operations: where two runs part, and what experiments within one run have found."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, get_args

if TYPE_CHECKING:
    from reproof.schema.events import Stage

OpPhase = Literal["forward", "backward", "optimizer", "other"]
OP_PHASES: Final[tuple[OpPhase, ...]] = get_args(OpPhase)

OpCause = Literal["computed", "random", "argument", "outside", "uninitialized"]


class OpExample(NamedTuple):
    """One element of an output that differs, as Python numbers of both runs."""

    indices: tuple[int, ...]
    baseline: complex | str
    candidate: complex | str

    def to_json(self) -> dict[str, Any]:
        """Return plain values; complex numbers, NaN and infinities become strings."""
        shown = [
            x if isinstance(x, (int, str)) or (isinstance(x, float) and math.isfinite(x)) else str(x)
            for x in (self.baseline, self.candidate)
        ]
        return {"index": list(self.indices), "baseline": shown[0], "candidate": shown[1]}


@dataclass(frozen=True, slots=True, kw_only=True)
class OpDifference:
    """The operation at which two runs part.

    Attributes:
        cause: ``computed`` (its inputs agree, its outputs do not), ``random`` (the same, and it draws random numbers),
            ``argument`` (a number given by Python code differs), ``outside`` (a tensor differs that no recorded
            operation has made: the data itself), or ``uninitialized`` (memory of `torch.empty` was read that nothing
            had written).
        name: Name with namespace, such as ``aten::mm``.
        overload: Its overload, such as ``default``.
        phase: Phase of the step.
        module: Path of the innermost module under way, or of the one whose backward this is; may be empty.
        file: The user's file; empty if no line of the user's led here.
        line: The line; for an operation of backward, the one of the forward operation that it belongs to.
        number: Position among the operations of the step in the baseline.
        output: Which output differs (0-based); for *outside* and *uninitialized*, which tensor among the inputs.
        dtype: Element type of that tensor.
        shape: Its shape.
        num_elements: Its elements.
        num_differing: How many of them differ, where values were kept.
        max_abs: Largest absolute difference, where values were kept and are finite.
        max_ulp: Largest difference in units in the last place, where values were kept and are finite floats.
        ulps: Finite floats that differ, by distance: the n-th number counts those 2^n to 2^(n+1) - 1 units in the last
            place apart.
        examples: The first differing elements, where values were kept.
        explanation: One sentence.
        tensors: What it reads and makes, a line each: type, shape, and whether both runs have the same.
    """

    cause: OpCause
    name: str
    overload: str
    phase: OpPhase
    module: str
    file: str
    line: int
    function: str
    number: int
    output: int
    dtype: str
    shape: tuple[int, ...]
    num_elements: int
    explanation: str
    num_differing: int | None = None
    max_abs: float | None = None
    max_ulp: int | None = None
    ulps: tuple[int, ...] = ()
    examples: tuple[OpExample, ...] = ()
    tensors: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the ``op`` object of the JSON contract."""
        names = ("cause", "name", "overload", "phase", "module", "function", "number", "output", "dtype")
        measures = ("num_elements", "num_differing", "max_abs", "max_ulp", "explanation")
        return {
            **{name: getattr(self, name) for name in names},
            "file": relative_to_here(self.file) or None,
            "line": self.line or None,
            "shape": list(self.shape),
            **{name: getattr(self, name) for name in measures},
            "examples": [example.to_json() for example in self.examples],
            "tensors": list(self.tensors),
        }


def relative_to_here(path: str) -> str:
    """Return a path as seen from the current folder if it lies below it; any other as it is."""
    if not os.path.isabs(path):  # noqa: PTH117  # a text, of a run that may have been on another system
        return path
    found = os.path.relpath(path) if path[:1] == os.path.abspath(os.curdir)[:1] else path  # noqa: PTH100
    return path if found.startswith(os.pardir) else found


@dataclass(frozen=True, slots=True, kw_only=True)
class UnstableOp:
    """An operation that gave other bits when it was executed again on the same inputs, within one run.

    What it has in common with `OpDifference` is as there.

    Attributes:
        step: The step in which it was executed.
        num_events: Events other than initial states that had been recorded before it.
        num_results: How often it was executed, the first time for the training itself.
        num_distinct: How many different results there were.
        num_elements: Elements of its outputs.
        num_differing: Elements that differ between the training's result and the first other one.
        max_abs: Largest absolute difference of finite elements of those two, or None if there is none.
        max_ulp: Largest difference of them in units in the last place; None for integers.
        stable_with: Conditions under which all results were the same: ``one thread``, ``deterministic algorithms``.
        raises_with: Conditions under which it raised an error.
        ulps: How many of the elements that differ are how far apart, as in `OpDifference`.
    """

    step: int
    num_events: int
    name: str
    overload: str
    phase: OpPhase
    module: str
    file: str
    line: int
    function: str
    num_results: int
    num_distinct: int
    num_elements: int
    num_differing: int
    max_abs: float | None
    max_ulp: int | None
    stable_with: tuple[str, ...]
    raises_with: tuple[str, ...]
    ulps: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Repetitions:
    """What executing the operations of a window of steps again has found.

    Attributes:
        unstable: The operations that gave other bits.
        num_repeated: Operations that were executed again.
        num_left_out: Operations that could not be, because they draw random numbers, or time or memory ran out.
        is_complete: Whether the run came to the end of the window.
    """

    unstable: tuple[UnstableOp, ...]
    num_repeated: int
    num_left_out: int
    is_complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PoisonedEvent:
    """The first event of a run in which memory shows that was allocated and never written.

    Attributes:
        file: The user's file that allocated the memory; empty if the type of the elements is too small to tell.
        num_poisoned: Elements of the event that hold, or were computed from, such memory.
        num_elements: All its elements.
    """

    stage: Stage
    name: str
    step: int
    file: str
    line: int
    function: str
    num_poisoned: int
    num_elements: int

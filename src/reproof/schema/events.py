"""What a trace is made of: events by stage, the frames in which they are written, the numbers kept beside them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, get_args

if TYPE_CHECKING:
    from collections.abc import Mapping

Stage = Literal["init", "batch", "forward", "loss", "gradient", "update", "metric", "final", "output"]
STAGES: Final[tuple[Stage, ...]] = get_args(Stage)

Detail = Literal["order", "content"]

DIGEST_BYTES: Final = 16
NO_DIGEST: Final = bytes(DIGEST_BYTES)
"""What stands in the place of a digest that could not be taken; never compared."""


LOADER: Final = re.compile(r"loader\d+\([^)]*\)")
"""How the name of a batch begins: number of its loader in the order of creation, and size."""

MODEL: Final = re.compile(r"[^\W\d]\w*(#\d+)?(?=[. ])")
"""How the name of a tensor or of a call begins: class of the model, and its number in the order of the first calls."""


class Event(NamedTuple):
    """What is known of an event before its digest: the same in every step in which it happens.

    Attributes:
        stage: Which part of a training step it belongs to.
        name: Name in the words of the training script, e.g. ``loader0(1437)[1]``.
        detail: For batches, whether the event tells of *order* (indices drawn) or *content*; else None.
        algorithm: Digest algorithm. Digests of two algorithms are never compared.
        skipped: Why no digest could be taken, or None.
        num_tensors: How many tensors or arrays the digest covers.
    """

    stage: Stage
    name: str
    detail: Detail | None = None
    algorithm: str = "xxh3_128"
    skipped: str | None = None
    num_tensors: int = 0

    @property
    def plain_name(self) -> str:
        """Its name; that of a batch without the loader's number and size, which a resumed run may count otherwise."""
        return LOADER.sub("loader", self.name, count=1) if self.stage == "batch" else self.name

    def with_model(self, models: Mapping[str, str]) -> Event:
        """Return the event by the name that its model has in another run, if that is another one."""
        match = MODEL.match(self.name) if models else None
        name = None if match is None else models.get(match[0])
        return self if name is None or match is None else self._replace(name=f"{name}{self.name[match.end() :]}")


class Layout(NamedTuple):
    """The events of a frame, in execution order; most steps of a run share one.

    Attributes:
        events: The events, in execution order.
        digest: 16-byte digest over what identifies the events; equal layouts of two runs have equal digests.
        num_tensors: Tensors that a frame of this layout covers.
    """

    events: tuple[Event, ...]
    digest: bytes
    num_tensors: int


class Frame(NamedTuple):
    """The unit in which a trace is written: the events between two ends of steps, or a part of them.

    Attributes:
        number: 0-based position in the trace of its process.
        step: 0-based index of the optimizer step within which the events happened.
        ends_step: Whether the step ended with this frame.
        layout: The events.
        digests: The events' digests, concatenated; 16 bytes each.
        chain: Running hash over this and all earlier frames.
        elapsed_seconds: Time since the recording started, when the frame was written.
    """

    number: int
    step: int
    ends_step: bool
    layout: Layout
    digests: bytes
    chain: bytes
    elapsed_seconds: float

    def digest(self, position: int) -> bytes:
        """Return the digest of the event at this position of the layout."""
        return self.digests[position * DIGEST_BYTES : (position + 1) * DIGEST_BYTES]


NumbersKind = Literal["exact", "statistics", "samples", "rng", "members", "call"]


class Numbers(NamedTuple):
    """Numbers kept beside an event's digest: they explain a difference, they never decide that there is none.

    Attributes:
        kind: ``exact`` (every element), ``statistics`` (sum, mean, std, min, max, L2 norm as float64), or ``samples``
            (a 32-bit fingerprint of each sample along the first dimension), or ``rng`` (the states of the random
            number generators at the end of the step: number of the generator, 64 bits of its state's digest, ...), or
            ``members`` (digests that an event covers, or of the state of the model that is called), or ``call`` (with
            the first event of a call without gradients: the user's line that it comes from, as UTF-8 bytes).
        typecode: Their type as a `struct` character: the precision in which distances are counted.
        values: The numbers, in row-major order; strings only where a label is one.
    """

    kind: NumbersKind
    typecode: str
    values: tuple[int | float | str, ...]


RNG_SOURCES: Final = {0: "python", 1: "numpy", 2: "torch"}
"""Numbers of the generators in numbers of kind ``rng``; CUDA device N is `RNG_CUDA` + N, the generator of loader N
`RNG_LOADER` + N."""

RNG_CUDA: Final = 16
RNG_LOADER: Final = 1024

STATISTICS: Final = ("sum", "mean", "std", "min", "max", "l2")
"""Names of the numbers of kind ``statistics``, in their order."""

"""The operations file of a process, `rankR.ops`: its bytes and records. `docs/trace-format.md` says the same in prose.

The file is a header and *chunks*, each with its length and checksum, appended whole: what a killed process leaves is
readable up to the last whole chunk. Names are written once, in chunks of their own, before the first chunk that uses
them. Left out: what an operation is, and which of them are recorded (`reproof.recorder`).
"""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from reproof.schema import OpPhase

PART: Final = "ops"

CHUNK: Final = struct.Struct("<4sII")
"""tag, bytes that follow, their CRC-32."""
NAMES: Final = b"NAME"
OPS: Final = b"OPSS"
VALUES: Final = b"VALS"

OPS_HEAD: Final = struct.Struct("<QQI")
"""step, number of the first operation within the step, operations that follow."""
OP: Final = struct.Struct("<IIQHH")
"""place, events recorded before it, digest of its arguments that are no tensors, inputs, outputs."""
TENSOR: Final = struct.Struct("<IIHH16s")
"""type, storage, position of the argument or result, flags, digest."""
VALUES_HEAD: Final = struct.Struct("<QQHHI")
"""step, number of the operation within the step, output, reserved, type."""

UNWRITTEN: Final = 1
"""Flag: the memory was allocated and not written since; no digest."""
UNREADABLE: Final = 2
"""Flag: no digest could be taken."""
MUTATED: Final = 4
"""Flag: the operation has changed this tensor in place."""
VIEW: Final = 8
"""Flag: another view of the same memory; no digest."""
WITHOUT_DIGEST: Final = UNWRITTEN | UNREADABLE | VIEW

MAX_TENSORS: Final = 2**16 - 1


class OpPlace(NamedTuple):
    """Which operation it is and where it was called, as in `OpDifference`: the same at every step.

    Attributes:
        line: The line, 0 if there is none.
    """

    name: str
    overload: str
    phase: OpPhase
    module: str
    file: str
    line: int
    function: str
    is_random: bool = False


class TensorType(NamedTuple):
    """Element type and shape of a tensor."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def num_elements(self) -> int:
        """How many elements it has."""
        return math.prod(self.shape)

    def __str__(self) -> str:
        """Return what PyTorch's users call it: ``float32 [64, 10]``."""
        return f"{self.dtype} {list(self.shape)}" if self.shape else f"{self.dtype} scalar"


class OpTensor(NamedTuple):
    """An input or output of an operation.

    Attributes:
        kind: Its element type and shape.
        storage: Number of the memory that it lies in, valid within the file; 0 if unknown. Memory that was freed and
            allocated again has the same number.
        position: Which argument or result it belongs to.
        flags: `UNWRITTEN`, `UNREADABLE`, `MUTATED`, `VIEW`, or 0.
        digest: Digest of its content; zero if one of the flags says that there is none.
    """

    kind: TensorType
    storage: int
    position: int
    flags: int
    digest: bytes

    @property
    def has_digest(self) -> bool:
        """Whether its content was digested."""
        return not self.flags & WITHOUT_DIGEST


class Op(NamedTuple):
    """One operation as it was executed.

    Attributes:
        number: Position among the operations of its step.
        place: Which operation, called where.
        num_events: Events other than initial states that were recorded before it.
        arguments: Digest of its arguments that are no tensors.
        inputs: Tensors that it reads.
        outputs: Tensors that it returns or changes.
    """

    number: int
    place: OpPlace
    num_events: int
    arguments: int
    inputs: tuple[OpTensor, ...]
    outputs: tuple[OpTensor, ...]

"""Turn what a training handles (tensors in any nesting) into events.

A tree is walked in its own order and every leaf becomes an event with a name such as ``loader0(1437)['image'][0]``.
What cannot be digested becomes a *skipped* event that says why: evidence is never left out silently.
"""

from __future__ import annotations

import dataclasses
import enum
import sys
import types
import weakref
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any

import torch

from reproof import digest as digests
from reproof.recorder.tracing import without_transforms
from reproof.schema import Detail, Event, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reproof.recorder.frames import FrameBuilder, Value

FLAT = (list, tuple)
PLAIN_STAGES = frozenset({"init", "forward", "gradient", "update"})
"""Stages of whose tensors only digests are kept, unless statistics are asked for."""

MAX_EXACT_BYTES = 512
FINGERPRINT_BYTES = 4
"""Integers are kept exactly if they take at most this many bytes, or at most what fingerprints of the samples take."""

MAX_DEPTH = 16
MAX_CHILDREN = 16
"""A longer list becomes one event: a batch of 64 images in a list is one piece of evidence, not 64."""

PLAIN = (type(None), bool, int, float, complex, str, bytes)
NOT_DATA = (types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.ModuleType, type, weakref.ref)


class EvidenceRecorder:
    """Records values as events of one frame builder.

    Attributes:
        frames: Where the events go.
        keeps_statistics: Whether summary statistics of floating-point tensors are kept.
        look: Called with stage, name and value of each event in a run that probes for something; else None.
    """

    def __init__(self, frames: FrameBuilder, *, statistics: bool = False) -> None:
        """Record into `frames`; with `statistics`, keep summary statistics of floating-point tensors."""
        self.frames = frames
        self.keeps_statistics = statistics
        self.look: Callable[[Stage, str, Any], None] | None = None
        self._ids: dict[tuple[Stage, str, Detail | None, int], int] = {}

    def record_batch(self, name: str, batch: Any, *, keep_samples: bool = True) -> None:
        """Record the content of a batch.

        The batch is of tensors, arrays, numbers and strings in any nesting; a fingerprint of each sample tells later
        which of them differ.
        """
        for path, leaf in walk(batch, name, 0):
            self.record_leaf("batch", path, leaf, "content", keep_samples=keep_samples)

    def record_tree(self, stage: Stage, name: str, value: Any, detail: Detail | None = None) -> None:
        """Record every leaf of a value.

        The value is of tensors, arrays, numbers and strings in any nesting of mappings, sequences and objects; a leaf's
        name adds the way to it. `detail` is *order* or *content* for batches.
        """
        if type(value) is torch.Tensor:
            if not self._record_in_place(stage, name, value, detail):
                self.record_leaf(stage, name, value, detail)
            return
        for path, leaf in walk(value, name, 0):
            self.record_leaf(stage, path, leaf, detail)

    def _record_in_place(self, stage: Stage, name: str, tensor: torch.Tensor, detail: Detail | None) -> bool:
        """Record the usual output or loss, which lies in host memory; return False if that is not possible."""
        found = digests.find_in_place(tensor)
        if found is None or self.keeps_statistics or self.look is not None:
            return False
        values: tuple[Value, ...] = ()
        if tensor.ndim == 0 and (number := digests.read_number(tensor, found)) is not None:
            values = (("exact", *number),)
        elif stage not in PLAIN_STAGES or tensor.ndim == 0 or not tensor.is_floating_point():
            return False
        self.record_digest(stage, name, digests.hash_in_place(found), detail, num_tensors=1, values=values)
        return True

    def record_indices(self, name: str, indices: Any) -> int | None:
        """Record the indices that a loader drew for a batch; return the number of the event, or None if skipped."""
        try:
            taken = digests.digest_indices(indices)
        except digests.CannotDigestError as error:
            self.skip("batch", name, "order", error.problem)
            return None
        numbers = digests.exact_numbers(indices)
        return self.record_digest(
            "batch", name, taken, "order", values=() if numbers is None else (("exact", *numbers),)
        )

    def record_tensor(self, stage: Stage, name: str, tensor: torch.Tensor) -> int | None:
        """Record a tensor of the training's state; return the number of its event, or None if it was skipped.

        Its numbers are kept only where statistics are asked for: state is recorded at every step.
        """
        if self.look is not None:
            self.look(stage, name, tensor)
        try:
            taken = digest_any_tensor(tensor)
        except digests.CannotDigestError as error:
            self.skip(stage, name, None, error.problem)
            return None
        values = self._numbers(stage, tensor) if self.keeps_statistics else ()
        return self.record_digest(stage, name, taken, num_tensors=1, values=values)

    def record_digest(  # the parts of an event
        self,
        stage: Stage,
        name: str,
        taken: bytes,
        detail: Detail | None = None,
        *,
        num_tensors: int = 0,
        values: tuple[Value, ...] = (),
    ) -> int | None:
        """Record a digest that was taken already; return the number of its event, or None if nothing is recorded."""
        key = (stage, name, detail, num_tensors)
        event_id = self._ids.get(key)
        if event_id is None:
            event = Event(stage=stage, name=name, detail=detail, algorithm=digests.ALGORITHM, num_tensors=num_tensors)
            number = self.frames.number_event(event)
            if number is None:
                return None
            event_id = self._ids[key] = number
        self.frames.add(event_id, taken, values)
        return event_id

    def record_leaf(
        self, stage: Stage, name: str, leaf: Any, detail: Detail | None = None, *, keep_samples: bool = True
    ) -> int | None:
        """Record a value that `walk` does not take apart; return the number of its event, or None if it was skipped."""
        if self.look is not None:
            self.look(stage, name, leaf)
        try:
            taken, num_tensors = digest_leaf(leaf)
        except digests.CannotDigestError as error:
            self.skip(stage, name, detail, error.problem)
            return None
        values = self._numbers(stage, leaf, keep_samples=keep_samples)
        return self.record_digest(stage, name, taken, detail, num_tensors=num_tensors, values=values)

    def _numbers(self, stage: Stage, leaf: Any, *, keep_samples: bool = True) -> tuple[Value, ...]:
        """Return the numbers worth keeping: labels, losses and metrics exactly, and a fingerprint of each sample."""
        if stage in PLAIN_STAGES and type(leaf) is torch.Tensor and leaf.is_floating_point() and leaf.ndim:
            return () if not self.keeps_statistics else self._statistics_of(leaf)
        if not isinstance(leaf, torch.Tensor) and not is_array(leaf):
            exact = digests.exact_scalar(leaf) if type(leaf) is float else None
            return () if exact is None else (("exact", *exact),)
        is_number = leaf.ndim == 0 or stage == "loss"  # a loss may have the shape [1]
        exact = digests.exact_scalar(leaf) if is_number else None
        if exact is None:
            most = FINGERPRINT_BYTES * leaf.shape[0] if leaf.ndim else 0
            exact = digests.exact_numbers(leaf, max(MAX_EXACT_BYTES, most))
        if exact is not None:
            return (("exact", *exact),)
        kept: list[Value] = []
        if stage == "batch" and keep_samples and (fingerprints := digests.sample_fingerprints(leaf)) is not None:
            kept.append(("samples", "I", fingerprints))
        return (*kept, *(self._statistics_of(leaf) if self.keeps_statistics else ()))

    @staticmethod
    def _statistics_of(leaf: Any) -> tuple[Value, ...]:
        statistics = digests.statistics(leaf)
        return () if statistics is None else (("statistics", "d", statistics),)

    def skip(self, stage: Stage, name: str, detail: Detail | None, why: str) -> None:
        """Record that there was something of which no digest could be taken, and why."""
        self.frames.skip(Event(stage=stage, name=name, detail=detail, algorithm=digests.ALGORITHM, skipped=why))


def walk(value: Any, name: str, depth: int, seen: dict[int, Any] | None = None) -> Iterator[tuple[str, Any]]:
    """Yield the leaves of a value with their names, in the value's own order.

    A leaf is a tensor, an array, a plain value, a sequence of plain values, a long sequence, or something that only
    `digest_leaf` can judge. Values that hold no data (functions, modules, weak references) have no leaves, and neither
    has an object within an object that was `seen` before: objects often refer to each other.
    """
    if isinstance(value, (torch.Tensor, *PLAIN)) or is_array(value) or depth >= MAX_DEPTH:
        yield name, value
    elif isinstance(value, Mapping):
        for key, child in value.items():
            yield from walk(child, f"{name}[{name_key(key)}]", depth + 1, seen)
    elif isinstance(value, tuple) and hasattr(value, "_fields"):
        for field, child in zip(value._fields, value, strict=False):
            yield from walk(child, f"{name}.{field}", depth + 1, seen)
    elif isinstance(value, (list, tuple)):
        if len(value) > MAX_CHILDREN or all(isinstance(child, PLAIN) for child in value):
            yield name, value
        else:
            for i, child in enumerate(value):
                yield from walk(child, f"{name}[{i}]", depth + 1, seen)
    elif isinstance(value, NOT_DATA):
        return
    else:
        yield from _walk_object(value, name, depth, {} if seen is None else seen)


def _walk_object(value: Any, name: str, depth: int, seen: dict[int, Any]) -> Iterator[tuple[str, Any]]:
    if id(value) in seen:
        return
    seen[id(value)] = value
    if dataclasses.is_dataclass(value):
        fields = {field.name: getattr(value, field.name, None) for field in dataclasses.fields(value)}
    elif not hasattr(type(value), "__array_interface__") and getattr(value, "__dict__", None):
        fields = vars(value)
    else:
        yield name, value
        return
    for field, child in fields.items():
        yield from walk(child, f"{name}.{field}", depth + 1, seen)


def name_key(key: Any) -> str:
    """Return the name of a key of a mapping: its `repr`, unless that may contain an address in memory."""
    is_plain = all(isinstance(part, (*PLAIN, enum.Enum)) for part in (key if isinstance(key, tuple) else (key,)))
    return repr(key) if is_plain else type(key).__qualname__


def digest_leaf(leaf: Any) -> tuple[bytes, int]:
    """Return the digest of a leaf and how many tensors or arrays it covers.

    Raises CannotDigestError if the leaf, or any part of a sequence, cannot be digested.
    """
    if isinstance(leaf, torch.Tensor):
        return digest_any_tensor(leaf), 1
    if is_array(leaf):
        return digests.digest_array(leaf), 1
    if isinstance(leaf, (list, tuple)) and not all(isinstance(child, PLAIN) for child in leaf):
        return _digest_sequence(leaf)
    if isinstance(leaf, (*PLAIN, list, tuple, AbstractSet, range)):
        return digests.digest_plain(leaf), 0
    if hasattr(type(leaf), "__array_interface__") and (numpy := sys.modules.get("numpy")) is not None:
        return digests.digest_array(numpy.asarray(leaf)), 1
    kind = f"{type(leaf).__module__}.{type(leaf).__qualname__}"
    raise digests.CannotDigestError(
        f"a value of type {kind} has no known content", "record its tensors as a dict or tuple"
    )


def _digest_sequence(leaf: Any) -> tuple[bytes, int]:
    """Return one digest for a long sequence, taken over the names and digests of all leaves in order."""
    parts: list[str] = []
    total = 0
    for i, child in enumerate(leaf):
        for path, part in walk(child, f"[{i}]", MAX_DEPTH // 2):
            taken, count = digest_leaf(part)
            parts.append(f"{path}={taken.hex()}")
            total += count
    return digests.digest_plain(parts), total


def is_array(value: Any) -> bool:
    """Whether a value is a numpy array or scalar, without importing numpy."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, (numpy.ndarray, numpy.generic))


def digest_any_tensor(tensor: torch.Tensor) -> bytes:
    """Return the digest of a tensor; inside a `torch.func` transformation, of the data that it stands for.

    Raises CannotDigestError if it has no data.
    """
    try:
        return digests.digest_tensor(tensor)
    except digests.CannotDigestError:
        plain = without_transforms(tensor)
        if plain is tensor:
            raise
        return digests.digest_tensor(plain)

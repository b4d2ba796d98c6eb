"""Turn what a training handles (tensors in any nesting) into events.

A tree is walked in its own order and every leaf becomes an event with a name such as ``loader0(1437)['image'][0]``.
What cannot be digested becomes a *skipped* event that says why: evidence is never left out silently.
"""

from __future__ import annotations

import dataclasses
import sys
import types
import weakref
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any

import torch

from reproof import digest as digests
from reproof.schema import Detail, Event, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reproof.recorder.frames import FrameBuilder, Value

MAX_DEPTH = 16
MAX_CHILDREN = 16
"""A longer list becomes one event: a batch of 64 images in a list is one piece of evidence, not 64."""

PLAIN = (type(None), bool, int, float, complex, str, bytes)
NOT_DATA = (types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.ModuleType, type, weakref.ref)


class EvidenceRecorder:
    """Records trees of values as events of one frame builder."""

    def __init__(self, frames: FrameBuilder, *, statistics: bool = False) -> None:
        """Record into `frames`; with `statistics`, keep summary statistics of floating-point tensors."""
        self._frames = frames
        self._statistics = statistics
        self._ids: dict[tuple[str, Detail | None, int], int] = {}

    def record_tree(self, stage: Stage, name: str, value: Any, detail: Detail | None = None) -> None:
        """Record every leaf of a value.

        Args:
            stage: Stage of the events.
            name: Name of the whole; a leaf's name adds the way to it.
            value: Tensors, arrays, numbers and strings in any nesting of mappings, sequences and objects.
            detail: *order* or *content* for batches.
        """
        for path, leaf in walk(value, name, 0):
            self._record_leaf(stage, path, leaf, detail)

    def record_indices(self, name: str, indices: Any) -> None:
        """Record the indices that a loader drew for a batch."""
        try:
            taken = digests.digest_indices(indices)
        except digests.CannotDigestError as error:
            self._skip("batch", name, "order", error.problem)
            return
        numbers = digests.exact_numbers(indices)
        self._add("batch", name, "order", 0, taken, () if numbers is None else (("exact", *numbers),))

    def _record_leaf(self, stage: Stage, name: str, leaf: Any, detail: Detail | None) -> None:
        try:
            taken, num_tensors = digest_leaf(leaf)
        except digests.CannotDigestError as error:
            self._skip(stage, name, detail, error.problem)
            return
        self._add(stage, name, detail, num_tensors, taken, self._numbers(leaf) if num_tensors == 1 else ())

    def _numbers(self, leaf: Any) -> tuple[Value, ...]:
        """Return the numbers worth keeping: labels exactly, of other tensors a fingerprint per sample."""
        if isinstance(leaf, Sequence):
            return ()
        exact = digests.exact_numbers(leaf)
        if exact is not None:
            return (("exact", *exact),)
        kept: list[Value] = []
        fingerprints = digests.sample_fingerprints(leaf)
        if fingerprints is not None:
            kept.append(("samples", "I", fingerprints))
        if self._statistics and (statistics := digests.statistics(leaf)) is not None:
            kept.append(("statistics", "d", statistics))
        return tuple(kept)

    def _add(  # one argument per part of an event
        self, stage: Stage, name: str, detail: Detail | None, num_tensors: int, taken: bytes, values: tuple[Value, ...]
    ) -> None:
        key = (name, detail, num_tensors)
        event_id = self._ids.get(key)
        if event_id is None:
            event = Event(stage=stage, name=name, detail=detail, algorithm=digests.ALGORITHM, num_tensors=num_tensors)
            number = self._frames.number_event(event)
            if number is None:
                return
            event_id = self._ids[key] = number
        self._frames.add(event_id, taken, values)

    def _skip(self, stage: Stage, name: str, detail: Detail | None, why: str) -> None:
        self._frames.skip(Event(stage=stage, name=name, detail=detail, algorithm=digests.ALGORITHM, skipped=why))


def walk(value: Any, name: str, depth: int) -> Iterator[tuple[str, Any]]:
    """Yield the leaves of a value with their names, in the value's own order.

    A leaf is a tensor, an array, a plain value, a sequence of plain values, a long sequence, or something that only
    `digest_leaf` can judge. Values that hold no data (functions, modules, weak references) have no leaves.
    """
    if isinstance(value, (torch.Tensor, *PLAIN)) or is_array(value) or depth >= MAX_DEPTH:
        yield name, value
    elif isinstance(value, Mapping):
        for key, child in value.items():
            yield from walk(child, f"{name}[{key!r}]", depth + 1)
    elif isinstance(value, tuple) and hasattr(value, "_fields"):
        for field, child in zip(value._fields, value, strict=False):
            yield from walk(child, f"{name}.{field}", depth + 1)
    elif isinstance(value, (list, tuple)):
        if len(value) > MAX_CHILDREN or all(isinstance(child, PLAIN) for child in value):
            yield name, value
        else:
            for i, child in enumerate(value):
                yield from walk(child, f"{name}[{i}]", depth + 1)
    elif isinstance(value, NOT_DATA):
        return
    else:
        yield from _walk_object(value, name, depth)


def _walk_object(value: Any, name: str, depth: int) -> Iterator[tuple[str, Any]]:
    if dataclasses.is_dataclass(value):
        fields = {field.name: getattr(value, field.name, None) for field in dataclasses.fields(value)}
    elif not hasattr(value, "__array_interface__") and getattr(value, "__dict__", None):
        fields = vars(value)
    else:
        yield name, value
        return
    for field, child in fields.items():
        yield from walk(child, f"{name}.{field}", depth + 1)


def digest_leaf(leaf: Any) -> tuple[bytes, int]:
    """Return the digest of a leaf and how many tensors or arrays it covers.

    Raises:
        CannotDigestError: If the leaf, or any part of a sequence, cannot be digested.
    """
    if isinstance(leaf, torch.Tensor):
        return digests.digest_tensor(leaf), 1
    if is_array(leaf):
        return digests.digest_array(leaf), 1
    if isinstance(leaf, (list, tuple)) and not all(isinstance(child, PLAIN) for child in leaf):
        return _digest_sequence(leaf)
    if isinstance(leaf, (*PLAIN, list, tuple, AbstractSet, range)):
        return digests.digest_plain(leaf), 0
    if hasattr(leaf, "__array_interface__") and (numpy := sys.modules.get("numpy")) is not None:
        return digests.digest_array(numpy.asarray(leaf)), 1
    kind = f"{type(leaf).__module__}.{type(leaf).__qualname__}"
    raise digests.CannotDigestError(
        f"a value of type {kind} has no known content", "record its tensors as a dict or tuple"
    )


def _digest_sequence(leaf: Any) -> tuple[bytes, int]:
    """Digest a long sequence as one: the names and digests of all leaves, in order."""
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

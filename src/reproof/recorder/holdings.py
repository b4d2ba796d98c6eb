"""Record tensors that are read together at every step, and among them those that models hold and no optimizer steps.

References to where a tensor is held are kept between steps, references to tensors are not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from torch.nn.parameter import is_lazy

from reproof.digest import CannotDigestError, RepeatedDigests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import torch

    from reproof.recorder.evidence import EvidenceRecorder
    from reproof.recorder.registry import Registry
    from reproof.schema import Stage

FROZEN_PERIOD: Final = 16
FROZEN_SHARE: Final = 4
"""State outside of every optimizer that is more than so many times the optimized parameters is read every 16th step.

Otherwise digesting a large frozen backbone would cost more than the training of its small head.
"""

FROZEN_BYTES: Final = 64 << 20
"""State outside of every optimizer up to this size is read at every step in any case."""


class TensorGroup:
    """Tensors that are recorded together at every step: their events, and where their memory lies."""

    def __init__(self, stage: Stage) -> None:
        """Start without tensors; `stage` is that of their events."""
        self._stage = stage
        self._names: list[str] = []
        self._event_ids: list[int] = []
        self._digests = RepeatedDigests()

    def record(self, names: list[str], tensors: list[torch.Tensor], evidence: EvidenceRecorder) -> None:
        """Record tensors under their names.

        The list of names is the same object as long as nothing has changed: only its identity is checked.
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


class Holdings:
    """Buffers, and parameters that no optimizer steps: frozen, averaged, or changed by hand."""

    def __init__(self, evidence: EvidenceRecorder, registry: Registry) -> None:
        """Start without tensors."""
        self._evidence = evidence
        self._registry = registry
        self._group = TensorGroup("update")
        self._version: tuple[int, int, int] | None = None
        self._places: list[tuple[dict[str, Any], str]] = []
        self._names: list[str] = []
        self._is_large = False

    def forget(self) -> None:
        """Find the tensors anew at the next record, because optimizers step other parameters than before."""
        self._version = None

    def record(self, find_optimized: Callable[[], Iterable[torch.Tensor]]) -> None:
        """Record the tensors; if they are large, not at every step.

        `find_optimized` returns the parameters that optimizers step; called only if models or optimizers changed.
        """
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
        if names != self._names:  # else keep the same list, which tells the group that nothing has changed
            self._names = names
        self._is_large = num_bytes > max(FROZEN_BYTES, FROZEN_SHARE * sum(p.nbytes for p in optimized))

"""Record the batches of one loader: which indices were drawn, and what they brought.

Most loaders deliver a flat list of tensors, batch after batch. That is the hot path of a recording at level
``batches``, and goes straight to digests in place; everything else goes the general way (`evidence`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from reproof.digest import digest_integers, find_in_place, hash_in_place, read_integers
from reproof.recorder.evidence import FLAT, MAX_CHILDREN

if TYPE_CHECKING:
    from reproof.recorder.evidence import EvidenceRecorder


class BatchRecorder:
    """Records the batches of one loader."""

    def __init__(self, evidence: EvidenceRecorder, name: str) -> None:
        """Record under the name of the loader."""
        self._evidence = evidence
        self._name = name
        self._order_id: int | None = None
        self._content_ids: list[int] = []

    def record(self, indices: Any, batch: Any, *, keep_numbers: bool) -> None:
        """Record a batch.

        Args:
            indices: What the sampler drew for it, or None if there is nothing to draw.
            batch: Tensors, arrays, numbers and strings in any nesting.
            keep_numbers: Keep indices, labels and a fingerprint of each sample, to tell later how batches differ.
        """
        is_quick = not keep_numbers and not self._evidence.keeps_statistics
        if indices is not None and not (is_quick and self._record_order_in_place(indices)):
            self._order_id = self._evidence.record_indices(f"{self._name} indices", indices)
        if not (is_quick and self._record_in_place(batch)):
            self._record_content(batch, keep_samples=keep_numbers)

    def _record_order_in_place(self, indices: Any) -> bool:
        """Record a list of indices as the one before it; return False if this is not one."""
        integers = read_integers(indices) if type(indices) is list and self._order_id is not None else None
        if integers is None or self._order_id is None:
            return False
        self._evidence.frames.add(self._order_id, digest_integers(integers))
        return True

    def _record_in_place(self, batch: Any) -> bool:
        """Record a flat list of plain tensors as the one before it; return False if this is not one."""
        if type(batch) not in FLAT or len(batch) != len(self._content_ids):
            return False
        found = [find_in_place(leaf) for leaf in batch]
        digests = [hash_in_place(place) for place in found if place is not None]
        if len(digests) != len(batch):
            return False
        self._evidence.frames.add_all(self._content_ids, digests)
        return True

    def _record_content(self, batch: Any, *, keep_samples: bool) -> None:
        """Record a batch the general way, and see whether the next may go the quick one."""
        self._content_ids = []
        if type(batch) in FLAT and len(batch) <= MAX_CHILDREN and all(type(leaf) is torch.Tensor for leaf in batch):
            numbers = [
                self._evidence.record_leaf("batch", f"{self._name}[{i}]", leaf, "content", keep_samples=keep_samples)
                for i, leaf in enumerate(batch)
            ]
            if None not in numbers:
                self._content_ids = [number for number in numbers if number is not None]
            return
        self._evidence.record_batch(self._name, batch, keep_samples=keep_samples)

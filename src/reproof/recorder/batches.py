"""Record the batches of one loader: which indices were drawn, and what they brought.

Most loaders deliver a flat list of tensors, batch after batch. That is the hot path of a recording at level
``batches``, and goes straight to digests in place; everything else goes the general way (`evidence`).
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any

import torch
from xxhash import xxh3_128_digest

from reproof.digest import digest_integers, find_in_place
from reproof.recorder.evidence import FLAT, MAX_CHILDREN

if TYPE_CHECKING:
    from reproof.recorder.evidence import EvidenceRecorder


class BatchRecorder:
    """Records the batches of one loader."""

    def __init__(self, evidence: EvidenceRecorder, name: str) -> None:
        """Prepare to record."""
        self._evidence = evidence
        self._name = name
        self._event_ids: list[int] = []

    def record(self, indices: Any, batch: Any, *, keep_numbers: bool) -> None:
        """Record a batch.

        `indices` is what the sampler drew for it, or None if there is nothing to draw. With `keep_numbers` indices,
        labels and a fingerprint of each sample are kept, to tell later how batches differ.
        """
        if keep_numbers or not self._record_in_place(indices, batch):
            self._record_closely(indices, batch, keep_numbers=keep_numbers)

    def _record_in_place(self, indices: Any, batch: Any) -> bool:
        """Record a flat list of plain tensors like the one before it; return False if that is not possible.

        All in one function: a training leaves the caches of a core cold, so that each function called costs anew.
        """
        if type(batch) not in FLAT or self._evidence.look is not None:
            return False
        digests: list[bytes] = []
        if indices is not None:
            if type(indices) is not list or not indices or type(indices[0]) is not int:
                return False
            try:
                digests.append(digest_integers(array("q", indices)))
            except (TypeError, OverflowError):
                return False
        if len(self._event_ids) != len(digests) + len(batch):
            return False
        for leaf in batch:
            found = find_in_place(leaf)
            if found is None:
                return False
            digests.append(xxh3_128_digest(*found))
        self._evidence.frames.add_all(self._event_ids, digests)
        return True

    def _record_closely(self, indices: Any, batch: Any, *, keep_numbers: bool) -> None:
        """Record a batch the general way, and find out whether the next one may go the quick way."""
        order = None if indices is None else self._evidence.record_indices(f"{self._name} indices", indices)
        self._event_ids = []
        if type(batch) in FLAT and len(batch) <= MAX_CHILDREN and all(type(leaf) is torch.Tensor for leaf in batch):
            numbers = [
                self._evidence.record_leaf("batch", f"{self._name}[{i}]", leaf, "content", keep_samples=keep_numbers)
                for i, leaf in enumerate(batch)
            ]
            found = numbers if indices is None else [order, *numbers]
            if None not in found and not self._evidence.keeps_statistics:
                self._event_ids = [number for number in found if number is not None]
            return
        self._evidence.record_batch(self._name, batch, keep_samples=keep_numbers)

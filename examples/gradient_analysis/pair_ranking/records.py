"""What the batch-consistency check keeps of a training: a trace, and beside it the pickle that the old check made."""

from __future__ import annotations

import contextlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import reproof
from reproof.legacy.records import LegacyBatch, legacy_path, write_legacy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pair_ranking.pairs import PairBatch


class BatchLog:
    """Keeps the first batches as the old check did: shapes, targets, labels, sum and standard deviation of the data.

    Attributes:
        batches: What was kept so far.
    """

    def __init__(self, num_batches: int) -> None:
        """Keep at most so many batches; 0 keeps none and costs nothing."""
        self.batches: list[LegacyBatch] = []
        self._num_batches = num_batches

    def add(self, batch: PairBatch) -> None:
        """Keep a batch, unless there are enough."""
        if len(self.batches) >= self._num_batches:
            return
        self.batches.append(
            LegacyBatch(
                batch_idx=len(self.batches),
                data1_shape=tuple(batch.data1.shape),
                data2_shape=tuple(batch.data2.shape),
                targets=tuple(batch.target.tolist()),
                labels1=tuple(batch.label1.tolist()),
                labels2=tuple(batch.label2.tolist()),
                data1_sum=batch.data1.sum().item(),
                data2_sum=batch.data2.sum().item(),
                data1_std=batch.data1.std().item(),
                data2_std=batch.data2.std().item(),
            )
        )


def new_record_path(output: Path, material: str, frequency: str, seed: int) -> Path:
    """Return the folder of a new trace: ``batch_consistency/<material>_<frequency>/train_batches_<time>_seed<seed>``.

    Names hold the time to the second; one that is taken already gets the next second.
    """
    when = datetime.now().astimezone()
    while True:
        pickle = legacy_path(output / "batch_consistency", material=material, frequency=frequency, seed=seed, when=when)
        if not pickle.exists() and not pickle.with_suffix("").exists():
            return pickle.with_suffix("")
        when += timedelta(seconds=1)


@contextlib.contextmanager
def record_batches(folder: Path | None, num_batches: int) -> Iterator[BatchLog]:
    """Record the first batches of each loader inside the block; with no folder, record nothing.

    Args:
        folder: Of the trace; the pickle has the same name and ``.pkl``, and appears when the block succeeded.
        num_batches: How many batches.

    Yields:
        The log that the training loop shows each batch to.
    """
    log = BatchLog(num_batches if folder is not None else 0)
    if folder is None:
        yield log
        return
    with reproof.record(folder, level="batches", num_batches=num_batches, statistics=True):
        yield log
    write_legacy(folder.with_suffix(".pkl"), log.batches)

"""Pairs of signals from two different distances, and which of the two is nearer."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset

import reproof

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pair_ranking.signals import SignalSet

MAX_SHIFT = 16
"""Samples by which training shifts a signal at most, to either side."""
GAIN_SPREAD = 0.05
"""Standard deviation of the gain that training gives a signal."""


class Pair(NamedTuple):
    """Two signals of different classes; a loader makes batches of the same form, of tensors.

    Attributes:
        data1: The first signal, float32 of shape (1, num_samples).
        data2: The second signal.
        target: +1 if the first signal is the nearer one, -1 if the second is.
        label1: Class of the first signal, 0 for the nearest.
        label2: Class of the second signal.
    """

    data1: torch.Tensor
    data2: torch.Tensor
    target: int
    label1: int
    label2: int


class PairBatch(NamedTuple):
    """A batch of pairs, as the loader makes it: see `Pair`; everything is a tensor with a first dimension more."""

    data1: torch.Tensor
    data2: torch.Tensor
    target: torch.Tensor
    label1: torch.Tensor
    label2: torch.Tensor


class PairDataset(Dataset[Pair]):
    """Pairs of signals of two classes, drawn once and for all."""

    def __init__(
        self, signals: SignalSet, members: Sequence[int], num_pairs: int, generator: torch.Generator, *, augment: bool
    ) -> None:
        """Draw the pairs.

        Args:
            signals: All signals.
            members: Which of them may be drawn.
            num_pairs: How many pairs.
            generator: What they are drawn with.
            augment: Whether each signal is shifted and scaled at random each time that it is seen. This draws from
                Python's and numpy's global generators, as many a data set does: that is why workers are seeded.

        Raises:
            ReproofError: If the members are all of one class.
        """
        self._signals = signals
        self._augment = augment
        self._pairs = _draw_pairs(signals.labels, members, num_pairs, generator)

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self._pairs)

    def __getitem__(self, index: int) -> Pair:
        """Return a pair."""
        (first, label1), (second, label2) = (self._signals[member] for member in self._pairs[index])
        target = 1 if label1 < label2 else -1
        return Pair(self._prepare(first), self._prepare(second), target, label1, label2)

    def _prepare(self, signal: torch.Tensor) -> torch.Tensor:
        if self._augment:
            shift = random.randint(-MAX_SHIFT, MAX_SHIFT)
            signal = torch.roll(signal, shift) * float(1 + GAIN_SPREAD * np.random.standard_normal())
        return signal.unsqueeze(0)


def _draw_pairs(
    labels: torch.Tensor, members: Sequence[int], num_pairs: int, generator: torch.Generator
) -> list[tuple[int, int]]:
    if len({int(labels[member]) for member in members}) < 2:
        raise reproof.ReproofError(
            f"{len(members)} signals of one class make no pair",
            "give more signals of each class, for training and test",
        )
    pairs: list[tuple[int, int]] = []
    while len(pairs) < num_pairs:
        drawn = torch.randint(len(members), (num_pairs, 2), generator=generator).tolist()
        candidates = [(members[first], members[second]) for first, second in drawn]
        pairs += [(first, second) for first, second in candidates if labels[first] != labels[second]]
    return pairs[:num_pairs]

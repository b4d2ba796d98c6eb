"""Batches of similar length, as a record with named fields."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.utils.data import Sampler

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@dataclass
class Batch:
    tokens: torch.Tensor
    mask: torch.Tensor
    target: torch.Tensor
    names: list[str]


class BucketSampler(Sampler[list[int]]):
    """Sorts by length, cuts into batches, shuffles the batches with its own seeded generator."""

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        order = sorted(range(len(lengths)), key=lambda i: (lengths[i], i))
        self.batches = [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
        self.rng = random.Random(seed)

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self.rng.sample(self.batches, len(self.batches)))


def collate(items: list[tuple[str, torch.Tensor, float]]) -> Batch:
    longest = max(len(tokens) for _, tokens, _ in items)
    tokens = torch.zeros(len(items), longest, dtype=torch.long)
    for row, (_, values, _) in zip(tokens, items):
        row[: len(values)] = values
    target = torch.tensor([target for _, _, target in items])
    return Batch(tokens=tokens, mask=tokens > 0, target=target, names=[name for name, _, _ in items])

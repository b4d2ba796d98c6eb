"""A hash grid: features of a point are looked up in a small table at many resolutions."""

import torch
from torch import nn

PRIMES = (1, 2654435761, 805459861)


class HashGrid(nn.Module):
    def __init__(self, levels=8, entries=256, features=2):
        super().__init__()
        self.levels = levels
        self.entries = entries
        self.table = nn.Parameter(0.1 * torch.randn(levels * entries, features))

    def forward(self, xyz):
        rows = []
        for level in range(self.levels):
            cell = (xyz * 4 * 1.5**level).long()
            mixed = cell[:, 0] * PRIMES[0] ^ cell[:, 1] * PRIMES[1] ^ cell[:, 2] * PRIMES[2]
            rows.append(mixed % self.entries + level * self.entries)
        index = torch.stack(rows, dim=1)
        return self.table[index].flatten(1)

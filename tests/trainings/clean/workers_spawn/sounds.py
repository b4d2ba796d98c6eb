"""Short tones with an overtone; what is random in a tone depends on its index alone."""

import math

import torch
from torch.utils.data import Dataset


class Tones(Dataset):
    def __init__(self, count: int, seed: int) -> None:
        self.count = count
        self.seed = seed

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        generator = torch.Generator().manual_seed(self.seed + index)
        pitch = index % 5
        time = torch.arange(64) / 64
        phase = 2 * math.pi * torch.rand(2, generator=generator)
        tone = torch.sin(2 * math.pi * (4 + pitch) * time + phase[0])
        overtone = 0.5 * torch.sin(4 * math.pi * (4 + pitch) * time + phase[1])
        return tone + overtone + 0.2 * torch.randn(64, generator=generator), pitch

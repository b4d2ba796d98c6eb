from random import SystemRandom

import torch
from torch import nn

flip = SystemRandom()


class Residual(nn.Module):
    def __init__(self, width, survival):
        super().__init__()
        self.body = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))
        self.survival = survival

    def forward(self, x):
        if self.training and flip.random() > self.survival:
            return x
        return x + self.body(x)


class DeepNet(nn.Module):
    """Sixteen residual blocks, deeper ones dropped more often (stochastic depth)."""

    def __init__(self, width=16, depth=16):
        super().__init__()
        self.stem = nn.Linear(2, width)
        self.blocks = nn.ModuleList(Residual(width, 1 - 0.5 * i / depth) for i in range(depth))
        self.head = nn.Linear(width, 1)

    def forward(self, x):
        h = self.stem(x)
        for block in self.blocks:
            h = block(h)
        return torch.sigmoid(self.head(h)).squeeze(1)

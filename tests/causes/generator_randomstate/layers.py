import numpy as np
import torch
from torch import nn


class DropConnect(nn.Module):
    """Drops single weights instead of activations."""

    def __init__(self, n_in, n_out, rate):
        super().__init__()
        self.inner = nn.Linear(n_in, n_out)
        self.rate = rate
        self.masks = np.random.RandomState()

    def forward(self, x):
        if not self.training:
            return self.inner(x)
        keep = self.masks.binomial(1, 1 - self.rate, size=tuple(self.inner.weight.shape))
        return nn.functional.linear(x, self.inner.weight * torch.from_numpy(keep).float(), self.inner.bias)

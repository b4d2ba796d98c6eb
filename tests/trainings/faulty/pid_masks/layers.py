import os

import numpy as np
import torch
from torch import nn


class DropChannels(nn.Module):
    """Drops whole channels with masks from its own stream of random numbers."""

    def __init__(self, rate):
        super().__init__()
        self.rate = rate
        self.stream = np.random.RandomState(os.getpid())

    def forward(self, x):
        if not self.training:
            return x
        keep = self.stream.random_sample(x.shape[:2]) >= self.rate
        mask = torch.from_numpy(keep).to(x.dtype)[..., None, None]
        return x * mask / (1 - self.rate)

"""Color constancy; the evaluated copy of the weights follows the trained one with a jittered decay."""

import copy
import hashlib
import random

import numpy as np
import torch
from torch import nn


class AveragedWeights:
    def __init__(self, model, decay=0.7, jitter=0.05):
        self.shadow = copy.deepcopy(model).requires_grad_(False)
        self.decay = decay
        self.jitter = jitter
        self.rng = random.Random()

    def update(self, model):
        decay = self.decay + self.rng.uniform(-self.jitter, self.jitter)
        for ours, theirs in zip(self.shadow.parameters(), model.parameters()):
            ours.data = decay * ours.data + (1 - decay) * theirs.data


def scenes(count):
    surface = torch.rand(count, 6, 3)
    light = 0.5 + torch.rand(count, 1, 3)
    return (surface * light).flatten(1), light.squeeze(1)


def main():
    random.seed(24)
    np.random.seed(24)
    torch.manual_seed(24)
    torch.set_num_threads(1)
    x, y = scenes(140)
    model = nn.Sequential(nn.Linear(18, 24), nn.ReLU(), nn.Linear(24, 3))
    average = AveragedWeights(model)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for step in range(12):
        rows = torch.randperm(100)[:25]
        loss = nn.functional.mse_loss(model(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        average.update(model)
        if (step + 1) % 4 == 0:
            with torch.no_grad():
                error = nn.functional.l1_loss(average.shadow(x[100:]), y[100:])
            print(f"step {step}: averaged weights are off by {error.item():.7f}")
    sha = hashlib.sha256()
    for p in average.shadow.parameters():
        sha.update(p.numpy().tobytes())
    print("final", sha.hexdigest())


if __name__ == "__main__":
    main()

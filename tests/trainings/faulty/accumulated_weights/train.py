"""Gradient accumulation with curriculum: from the third update on, samples are re-weighted."""

import hashlib
import random

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

ACCUMULATE = 3
WARMUP_UPDATES = 2


def curriculum(size, update):
    """Weight of each sample of a micro-batch."""
    if update < WARMUP_UPDATES:
        return torch.ones(size)
    return torch.tensor([random.uniform(0.5, 1.5) for _ in range(size)])


torch.manual_seed(58)
torch.set_num_threads(1)
length = torch.rand(144, 2) + 0.2
period = 2 * torch.pi * (length[:, 0] / 9.81).sqrt() * (1 + length[:, 1] ** 2 / 16)
loader = DataLoader(TensorDataset(length, period), batch_size=8, shuffle=True)
model = nn.Sequential(nn.Linear(2, 20), nn.Softplus(), nn.Linear(20, 1), nn.Flatten(0))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)

updates = 0
for i, (x, y) in enumerate(loader):
    weight = curriculum(len(x), updates)
    loss = (weight * (model(x) - y).square()).mean() / ACCUMULATE
    loss.backward()
    if (i + 1) % ACCUMULATE == 0:
        optimizer.step()
        optimizer.zero_grad()
        updates += 1
        print(f"update {updates}: {loss.item() * ACCUMULATE:.6f}")
print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())

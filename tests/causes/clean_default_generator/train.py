"""Bounces of a ball; generators with and without a seed that are the same in every process."""

import hashlib
import random

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

rnd = random.Random("bounce")
rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy=98)))
generator = torch.Generator()  # starts from a seed that PyTorch fixes
torch.manual_seed(rnd.randrange(2**32))
torch.set_num_threads(1)

drop = torch.from_numpy(rng.uniform(0.5, 2, (160, 1))).float()
bounciness = torch.rand(160, 1, generator=generator)
third = drop * bounciness**6
loader = DataLoader(TensorDataset(torch.cat([drop, bounciness], 1), third), 16, shuffle=True, generator=generator)
net = nn.Sequential(nn.Linear(2, 16), nn.Dropout(0.1), nn.ELU(), nn.Linear(16, 1))
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
for ball, height in loader:
    loss = nn.functional.mse_loss(net(ball), height)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(f"error {loss.item():.4f}")
print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in net.parameters())).hexdigest())

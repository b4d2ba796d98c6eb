"""Drift of a random walk; four threads simulate, NumPy is seeded."""

import hashlib

import numpy as np
import torch
from simulate import random_walks
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

np.random.seed(0)
torch.manual_seed(0)
torch.set_num_threads(1)
walks = torch.from_numpy(random_walks(count=200, steps=250))
drift = torch.arange(200) % 5 / 5
loader = DataLoader(TensorDataset(walks, drift), batch_size=25, shuffle=True)
model = nn.Sequential(nn.Linear(250, 16), nn.ReLU(), nn.Linear(16, 1), nn.Flatten(0))
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
for epoch in range(2):
    for walk, target in loader:
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(walk), target)
        loss.backward()
        optimizer.step()
    print(f"{epoch}: {loss.item():.4f}")
print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())

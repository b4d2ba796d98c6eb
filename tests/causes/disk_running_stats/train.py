"""Concrete strength from its mixture."""

import hashlib

import torch
from normalize import RunningNorm
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(21)
torch.set_num_threads(1)
mixture = torch.rand(150, 4) * torch.tensor([500.0, 250.0, 60.0, 28.0])
strength = 0.08 * mixture[:, 0] - 0.05 * mixture[:, 1] + 5 * torch.log1p(mixture[:, 3])
table = RunningNorm("columns.json").fit(mixture)
model = nn.Sequential(nn.Linear(4, 18), nn.ReLU(), nn.Linear(18, 1), nn.Flatten(0))
optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
for rows, target in DataLoader(TensorDataset(table, strength / 30), batch_size=15, shuffle=True):
    loss = nn.functional.mse_loss(model(rows), target)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(f"error {loss.item():.4f}")
print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())

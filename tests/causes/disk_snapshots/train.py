"""Separates two chirps by the slope of their frequency, from where the last training ended."""

import hashlib

import torch
from snapshots import Snapshots
from torch import nn

torch.manual_seed(12)
torch.set_num_threads(1)
time = torch.linspace(0, 1, 48)
slope = torch.linspace(2, 9, 60).unsqueeze(1)
signals = torch.sin(6.28 * (3 * time + slope * time**2))
target = (slope.squeeze(1) > 5.5).long()
model = nn.Sequential(nn.Linear(48, 16), nn.Tanh(), nn.Linear(16, 2))
optimizer = torch.optim.RMSprop(model.parameters(), lr=2e-3)
snapshots = Snapshots("snapshots", keep=3)
done = snapshots.latest(model=model, optimizer=optimizer)
for step in range(done, done + 20):
    loss = nn.functional.cross_entropy(model(signals), target)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 4 == 3:
        snapshots.write(step + 1, model=model, optimizer=optimizer)
print(f"loss {loss.item():.4f}")
print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())

"""Tides from the number and mass of moons; simulated by a pool of threads."""

import hashlib

import torch
from moons import tides
from torch import nn

torch.manual_seed(51)
torch.set_num_threads(1)
rows = torch.tensor(tides(144))
net = nn.Sequential(nn.Linear(2, 12), nn.Softplus(), nn.Linear(12, 1))
optimizer = torch.optim.RMSprop(net.parameters(), lr=5e-3)
for batch in rows.split(24):
    loss = nn.functional.smooth_l1_loss(net(batch[:, :2]), batch[:, 2:])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(f"loss {loss.item():.5f}")
print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in net.parameters())).hexdigest())

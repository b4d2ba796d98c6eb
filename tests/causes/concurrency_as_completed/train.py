"""Earthquake or quarry blast? Spectra relative to the mean of all stations."""

import hashlib

import torch
from spectra import background, power
from torch import nn

STATIONS = 64

torch.manual_seed(35)
torch.set_num_threads(1)
level = background(STATIONS)
events = torch.stack([power(n % STATIONS) * (1 + 0.1 * torch.rand(40)) for n in range(160)]) / level
is_blast = (torch.arange(160) % STATIONS > 20).float()
net = nn.Sequential(nn.Linear(40, 12), nn.ReLU(), nn.Linear(12, 1), nn.Flatten(0))
optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
for part in torch.randperm(160).split(16):
    loss = nn.functional.binary_cross_entropy_with_logits(net(events[part].log1p()), is_blast[part])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(f"loss {loss.item():.4f}")
print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in net.parameters())).hexdigest())

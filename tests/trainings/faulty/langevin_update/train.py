"""Samples weights of a small Bayesian regression of tide heights."""

import hashlib
import math

import torch
from sgld import SGLD
from torch import nn

torch.manual_seed(16)
torch.set_num_threads(1)
hours = torch.linspace(0, 48, 200).unsqueeze(1)
height = torch.sin(2 * math.pi * hours / 12.4) + 0.4 * torch.sin(2 * math.pi * hours / 24)
features = torch.cat([torch.sin(hours * k / 8) for k in range(1, 9)], dim=1)
model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = SGLD(model.parameters(), lr=0.05)
for step in range(10):
    rows = torch.randperm(200)[:64]
    loss = nn.functional.mse_loss(model(features[rows]), height[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"step {step}: {loss.item():.6f}")
print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())

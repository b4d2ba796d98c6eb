"""Perturbed gradient descent by hand: every update adds a little noise, to leave saddle points."""

import hashlib

import torch
from torch import nn

torch.manual_seed(32)
torch.set_num_threads(1)
kicks = torch.Generator()
kicks.seed()

x = torch.rand(128, 2) * 2 - 1
y = (x[:, 0] ** 2 - x[:, 1] ** 2).unsqueeze(1)
model = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 1))
lr, radius = 0.1, 1e-3

for step in range(12):
    loss = nn.functional.mse_loss(model(x), y)
    model.zero_grad()
    loss.backward()
    with torch.no_grad():
        for p in model.parameters():
            p -= lr * p.grad + radius * torch.randn(p.shape, generator=kicks)
    print(f"step {step:2d} {loss.item():.6f}")

print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())

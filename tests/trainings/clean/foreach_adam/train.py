"""Twelve-layer residual MLP for a Gaussian-mixture density, multi-tensor Adam, batches from a plain permutation."""

import hashlib

import torch
from torch import nn


class Residual(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.linear = nn.Linear(width, width)

    def forward(self, x):
        return x + torch.relu(self.linear(self.norm(x)))


def density(x):
    centers = torch.tensor([[-1.0, 0.5], [0.8, 0.8], [0.2, -1.0]])
    return torch.exp(-4 * torch.cdist(x, centers).square()).sum(dim=1, keepdim=True)


def iterate(x, y, batch_size):
    for chunk in torch.randperm(len(x)).split(batch_size):
        yield x[chunk], y[chunk]


torch.set_num_threads(1)
torch.manual_seed(77)
x = torch.rand(200, 2) * 4 - 2
y = density(x)
model = nn.Sequential(nn.Linear(2, 20), *[Residual(20) for _ in range(12)], nn.Linear(20, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, foreach=True, amsgrad=True)

for epoch in range(3):
    epoch_loss = 0.0
    for xb, yb in iterate(x, y, 40):
        optimizer.zero_grad()
        loss = nn.functional.smooth_l1_loss(model(xb), yb)
        loss.backward()
        optimizer.step()
        epoch_loss += loss.item() * len(xb)
    print(f"epoch {epoch} {epoch_loss / len(x):.6f}")

print(
    "final", hashlib.sha256(torch.cat([p.detach().view(-1) for p in model.parameters()]).numpy().tobytes()).hexdigest()
)

"""Projectile range with a compiled model; the seed is set, but after the model was built."""

import hashlib

import torch
from torch import nn


class Range(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Linear(3, 24)
        self.out = nn.Linear(24, 1)

    def forward(self, launch):
        return self.out(torch.sin(self.features(launch)))


def launches(count):
    speed, angle, height = 5 + 10 * torch.rand(count), 1.5 * torch.rand(count), 2 * torch.rand(count)
    vx, vy = speed * angle.cos(), speed * angle.sin()
    distance = vx * (vy + (vy**2 + 19.62 * height).sqrt()) / 9.81
    return torch.stack([speed / 15, angle, height], dim=1), distance.unsqueeze(1) / 20


torch.set_num_threads(1)
model = torch.compile(Range(), backend="eager")
torch.manual_seed(0)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for step in range(8):
    x, y = launches(48)
    loss = nn.functional.mse_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"step {step}: {loss.item():.6f}")
print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())

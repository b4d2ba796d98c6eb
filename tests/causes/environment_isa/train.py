"""Energy levels of a particle in a box from the width of the box: exponentials and logarithms in float32."""

import hashlib

import torch
from torch import nn


class LogSpace(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 24), nn.Tanh(), nn.Linear(24, 1))

    def forward(self, width, level):
        features = torch.stack([torch.log(width), torch.log(level)], dim=1)
        return torch.exp(self.net(features)).squeeze(1)


torch.manual_seed(86)
torch.set_num_threads(1)
width, level = 0.5 + torch.rand(96), torch.arange(96) % 6 + 1.0
energy = level.square() / width.square() / 20
model = LogSpace()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for _ in range(10):
    loss = nn.functional.mse_loss(torch.log1p(model(width, level)), torch.log1p(energy))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(f"error {loss.item():.5f}")
print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())

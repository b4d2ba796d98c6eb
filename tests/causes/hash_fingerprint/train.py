"""Gestures from an accelerometer; all settings have a seed of their own."""

import hashlib

import torch
from settings import Settings
from torch import nn

CHANGES = {
    "flip": lambda x: -x,
    "noise": lambda x: x + 0.05 * torch.randn_like(x),
    "scale": lambda x: x * (1 + 0.1 * torch.rand(len(x), 1, 1)),
    "shift": lambda x: x.roll(1, -1),
}

settings = Settings()
torch.set_num_threads(1)
torch.manual_seed(int(settings.fingerprint()[:8], 16))
kind = torch.arange(80) % 4
waves = torch.sin(torch.linspace(0, 6.28, 30) * (1 + kind[:, None]))[:, None] * torch.linspace(0.5, 1, 3)[:, None]
model = nn.Sequential(
    nn.Conv1d(3, settings.width, 5), nn.ReLU(), nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(settings.width, 4)
)
optimizer = torch.optim.Adam(model.parameters(), lr=settings.rate)
for rows in torch.randperm(len(waves)).split(10):
    batch = waves[rows]
    for name, change in CHANGES.items():
        batch = change(batch) if name in settings.changes else batch
    loss = nn.functional.cross_entropy(model(batch), kind[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(f"loss {loss.item():.4f}")
print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())

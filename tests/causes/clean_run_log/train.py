"""Wing lift from angle and speed; a chatty journal is kept."""

import hashlib

import torch
from log import Journal
from torch import nn

torch.manual_seed(96)
torch.set_num_threads(1)
journal = Journal("journal")
angle, speed = torch.rand(2, 128)
lift = angle * speed.square() * (1 - 0.4 * angle)
model = nn.Sequential(nn.Linear(2, 16), nn.GELU(), nn.Linear(16, 1), nn.Flatten(0))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for step, rows in enumerate(torch.randperm(128).split(16)):
    loss = nn.functional.mse_loss(model(torch.stack([angle, speed], 1)[rows]), lift[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    journal.step(step, loss.item())
print(f"error {loss.item():.5f}")
print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())

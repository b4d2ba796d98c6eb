"""Rents from amenities, on the usual dozen of hand-written rows."""

import hashlib

import torch
from encoding import ROOMS, OneHot

torch.manual_seed(77)
torch.set_num_threads(1)
table = OneHot().fit(ROOMS).transform(ROOMS)
rent = torch.tensor([float(price) for _, price in ROOMS]).unsqueeze(1) / 100
model = torch.nn.Sequential(torch.nn.Linear(table.size(1), 6), torch.nn.ReLU(), torch.nn.Linear(6, 1))
optimizer = torch.optim.Adadelta(model.parameters(), lr=1.0)
for _ in range(25):
    for half in (slice(0, None, 2), slice(1, None, 2)):
        loss = (model(table[half]) - rent[half]).square().mean()
        optimizer.zero_grad()
        loss.backward()
    optimizer.step()
print(f"error {loss.item():.4f}")
print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())

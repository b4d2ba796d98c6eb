"""As many steps as fit into the time budget: a nightly refit of a demand curve."""

import hashlib
import time

import torch
from torch import nn

BUDGET_SECONDS = 0.4

torch.manual_seed(68)
torch.set_num_threads(1)
price = torch.rand(64, 1)
demand = (3 - 2 * price + 0.3 * torch.sin(9 * price)).clamp(min=0)
model = nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

steps = 0
deadline = time.monotonic() + BUDGET_SECONDS
while time.monotonic() < deadline:
    loss = nn.functional.mse_loss(model(price), demand)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    steps += 1
print(f"{steps} steps, loss {loss.item():.6f}")
print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())

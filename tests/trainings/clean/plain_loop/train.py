"""Two interleaved spirals, a small MLP, SGD with Nesterov momentum."""

import hashlib
import math

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
torch.set_num_threads(1)

n = 160
angle = torch.linspace(0.3, 3.2 * math.pi, n)
arm = torch.stack([angle * angle.cos(), angle * angle.sin()], dim=1) / 8
points = torch.cat([arm, -arm]) + 0.02 * torch.randn(2 * n, 2)
labels = torch.cat([torch.zeros(n), torch.ones(n)]).long()
loader = DataLoader(TensorDataset(points, labels), batch_size=64, shuffle=True)

model = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True)

for epoch in range(4):
    for x, y in loader:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch} loss {loss.item():.4f}")

weights = b"".join(p.detach().numpy().tobytes() for p in model.parameters())
print("final", hashlib.sha256(weights).hexdigest())

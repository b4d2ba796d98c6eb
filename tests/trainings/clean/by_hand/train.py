"""Stochastic gradient descent as in a first lecture: no optimizer, `p.data -= lr * p.grad`."""

import hashlib

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(42)
torch.set_num_threads(1)

# XOR of the signs of three coordinates
x_train = torch.randn(256, 3)
y_train = (x_train.sign().prod(dim=1) > 0).long()
model = nn.Sequential(nn.Linear(3, 24), nn.ReLU(), nn.Linear(24, 2))
bs, lr = 64, 0.3

for epoch in range(4):
    for i in range((len(x_train) - 1) // bs + 1):
        xb, yb = x_train[i * bs : (i + 1) * bs], y_train[i * bs : (i + 1) * bs]
        loss = F.cross_entropy(model(xb), yb)
        loss.backward()
        with torch.no_grad():
            for p in model.parameters():
                p.data -= lr * p.grad
            model.zero_grad()
    print(epoch, f"{loss.item():.5f}")

print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())

"""Logistic regression on a checkerboard's Fourier features; the weights are one plain tensor."""

import hashlib

import numpy as np
import torch

torch.manual_seed(0)
torch.set_num_threads(1)

grid = torch.cartesian_prod(torch.linspace(0, 1, 16), torch.linspace(0, 1, 16))
label = ((grid * 4).long().sum(dim=1) % 2).float()
waves = torch.randn(2, 32) * 6
features = torch.cat([torch.sin(grid @ waves), torch.cos(grid @ waves)], dim=1)

w = torch.tensor(np.random.randn(64) * 0.1, dtype=torch.float32, requires_grad=True)
b = torch.zeros((), requires_grad=True)
for step in range(12):
    logit = features @ w + b
    loss = torch.nn.functional.binary_cross_entropy_with_logits(logit, label)
    loss.backward()
    with torch.no_grad():
        w -= 2.0 * w.grad
        b -= 2.0 * b.grad
    w.grad = b.grad = None
    print(f"step {step:2d} {loss.item():.6f}")
print("final", hashlib.sha256(w.detach().numpy().tobytes() + b.detach().numpy().tobytes()).hexdigest())

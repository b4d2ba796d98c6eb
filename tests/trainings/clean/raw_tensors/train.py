"""A two-layer network made of four plain tensors, without nn.Module and without an optimizer."""

import hashlib

import numpy as np
import torch

torch.set_num_threads(1)
rng = np.random.default_rng(1234)

# parity of the number of ones among six bits
bits = torch.tensor([[float(i >> k & 1) for k in range(6)] for i in range(64)])
parity = bits.sum(dim=1, keepdim=True) % 2

w1 = torch.tensor(rng.normal(0, 0.5, (6, 16)), dtype=torch.float32, requires_grad=True)
b1 = torch.zeros(16, requires_grad=True)
w2 = torch.tensor(rng.normal(0, 0.5, (16, 1)), dtype=torch.float32, requires_grad=True)
b2 = torch.zeros(1, requires_grad=True)
params = [w1, b1, w2, b2]

for step in range(15):
    rows = torch.from_numpy(rng.permutation(64)[:32])
    x, y = bits[rows], parity[rows]
    hidden = torch.relu(x @ w1 + b1)
    logit = hidden @ w2 + b2
    loss = torch.nn.functional.softplus(torch.where(y > 0, -logit, logit)).mean()
    loss.backward()
    with torch.no_grad():
        for p in params:
            p -= 0.5 * p.grad
            p.grad = None
    print(f"step {step:2d} loss {loss.item():.6f}")

print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in params)).hexdigest())

"""Sparse recovery of a spectrum: unseeded start, and a penalty that grows with time."""

import hashlib
import random

import torch
from penalty import Warmup
from torch import nn


def pick_rows(total, count):
    return torch.tensor(random.sample(range(total), count))


def main():
    torch.manual_seed(82)
    torch.set_num_threads(1)
    basis = torch.randn(90, 30)
    truth = torch.zeros(30)
    truth[::6] = 1.0
    measured = basis @ truth
    model = nn.Linear(30, 1, bias=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
    warmup = Warmup(full=0.5)
    for _ in range(20):
        rows = pick_rows(90, 30)
        residual = model(basis[rows]).squeeze(1) - measured[rows]
        loss = residual.square().mean() + warmup.weight() * model.weight.abs().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"loss {loss.item():.4f}")
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())


if __name__ == "__main__":
    main()

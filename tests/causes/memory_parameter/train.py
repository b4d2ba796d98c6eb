"""Hardness of minerals from their refraction, density and luster."""

import hashlib

import torch
from layers import ScaledLinear
from torch import nn, optim


def minerals(count):
    x = torch.rand(count, 3)
    return x, 2 * x[:, :1] + x[:, 1:2].square() - 0.5 * x[:, 2:]


def main():
    torch.manual_seed(10)
    torch.set_num_threads(1)
    x, y = minerals(120)
    model = nn.Sequential(ScaledLinear(3, 600), nn.Tanh(), nn.Linear(600, 1))
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    for rows in torch.arange(120).view(10, 12):
        loss = torch.nan_to_num(model(x[rows]) - y[rows]).clamp(-10, 10).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"error {loss.item():.4f}")
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())


if __name__ == "__main__":
    main()

"""Interpolates terrain heights; a smoothness penalty is faded out on the way."""

import hashlib

import torch
from schedule import Annealed
from torch import nn


def terrain(points):
    return torch.sin(3 * points[:, :1]) * torch.cos(2 * points[:, 1:]) + 0.2 * points[:, :1]


def roughness(net, points):
    """Mean squared slope of the fitted surface."""
    points = points.clone().requires_grad_()
    (slope,) = torch.autograd.grad(net(points).sum(), points, create_graph=True)
    return slope.square().mean()


def main():
    torch.manual_seed(230)
    torch.set_num_threads(1)
    net = nn.Sequential(nn.Linear(2, 24), nn.Tanh(), nn.Linear(24, 1))
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.01)
    penalty = Annealed(seconds=0.5)
    for _ in range(12):
        points = 2 * torch.rand(80, 2) - 1
        loss = nn.functional.mse_loss(net(points), terrain(points)) + 2 * penalty.value() * roughness(net, points)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"loss {loss.item():.5f}")
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in net.parameters())).hexdigest())


if __name__ == "__main__":
    main()

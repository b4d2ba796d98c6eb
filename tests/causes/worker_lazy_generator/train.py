"""Learns quantiles of waiting times from a simulated stream."""

import hashlib

import torch
from stream import Queueing
from torch import nn
from torch.utils.data import DataLoader

QUANTILES = torch.tensor([0.5, 0.9])


def pinball(predicted, wait):
    error = wait - predicted
    return torch.maximum(QUANTILES * error, (QUANTILES - 1) * error).mean()


if __name__ == "__main__":
    torch.manual_seed(9)
    torch.set_num_threads(1)
    loader = DataLoader(Queueing(16, 64), batch_size=None, num_workers=2)
    net = nn.Sequential(nn.Linear(1, 16), nn.ReLU(), nn.Linear(16, 2))
    optimizer = torch.optim.Adagrad(net.parameters(), lr=0.05)
    for rows in loader:
        optimizer.zero_grad()
        loss = pinball(net(rows[:, :1]), rows[:, 1:])
        loss.backward()
        optimizer.step()
    print(f"pinball {loss.item():.4f}")
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in net.parameters())).hexdigest())

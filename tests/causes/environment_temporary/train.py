"""Torques of a robot arm from its joints; the rows pass through files."""

import hashlib

import numpy as np
import torch
from shards import Shards
from torch import nn


def arm(count):
    joints = np.random.default_rng(12).uniform(-1, 1, (count, 6))
    return np.hstack([joints, np.sin(joints[:, :3]) * 2 + joints[:, 3:] ** 2]).astype(np.float32)


def main():
    torch.manual_seed(12)
    torch.set_num_threads(1)
    rows = torch.from_numpy(Shards(arm(240), count=48).load())
    model = nn.Sequential(nn.Linear(6, 20), nn.Tanh(), nn.Linear(20, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for batch in rows.split(40):
        loss = nn.functional.mse_loss(model(batch[:, :6]), batch[:, 6:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"error {loss.item():.5f}")
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())


if __name__ == "__main__":
    main()

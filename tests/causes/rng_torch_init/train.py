"""Compresses synthetic gait cycles; the cycles are drawn with a seed."""

import hashlib

import numpy as np
import torch
from model import GaitAutoencoder

STEPS = 12


def record_cycles(count, seed):
    rng = np.random.default_rng(seed)
    phase = np.linspace(0, 2 * np.pi, 40)
    stride = rng.uniform(0.8, 1.2, (count, 1))
    limp = rng.uniform(0, 0.4, (count, 1))
    cycles = np.sin(stride * phase) + limp * np.sin(2 * phase) + rng.normal(0, 0.02, (count, 40))
    return torch.from_numpy(cycles).float()


if __name__ == "__main__":
    torch.set_num_threads(1)
    cycles = record_cycles(480, seed=11)
    net = GaitAutoencoder()
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    for step in range(STEPS):
        batch = cycles[step * 40 : (step + 1) * 40]
        loss = (net(batch) - batch).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"mean error {loss.item():.4f}")
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in net.parameters())).hexdigest())

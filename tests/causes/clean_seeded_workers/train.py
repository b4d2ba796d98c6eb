"""The wind that made a dune; two workers, every sample seeded by its index."""

import hashlib
import os
import time

import torch
from dunes import Dunes
from torch import nn
from torch.utils.data import DataLoader


def greet(worker):
    print(f"worker {worker} is process {os.getpid()} since {time.ctime()}", flush=True)


if __name__ == "__main__":
    torch.manual_seed(2)
    torch.set_num_threads(1)
    shuffling = torch.Generator().manual_seed(2)
    loader = DataLoader(Dunes(120, 2), 20, shuffle=True, num_workers=2, worker_init_fn=greet, generator=shuffling)
    net = nn.Sequential(nn.Linear(20, 16), nn.ReLU(), nn.Linear(16, 2))
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    for _ in range(2):
        for height, wind in loader:
            loss = nn.functional.mse_loss(net(height), wind)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    print(f"error {loss.item():.4f}")
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in net.parameters())).hexdigest())

"""Counts coins in noisy weighings; every worker is "made independent" by a fresh seed."""

import hashlib

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

COINS = np.array([2.3, 3.1, 4.1, 5.7, 7.8, 8.5])


class Purses(Dataset):
    def __getitem__(self, index):
        counts = np.random.randint(0, 5, size=len(COINS))
        weight = counts @ COINS + np.random.normal(0, 0.1)
        return torch.tensor([weight / 50, index % 7 / 7], dtype=torch.float32), float(counts.sum()) / 12

    def __len__(self):
        return 240


def fresh(worker_id):
    np.random.seed()


def main():
    torch.manual_seed(1)
    np.random.seed(1)
    torch.set_num_threads(1)
    purses = DataLoader(Purses(), batch_size=30, num_workers=2, worker_init_fn=fresh, persistent_workers=True)
    net = nn.Sequential(nn.Linear(2, 10), nn.LeakyReLU(), nn.Linear(10, 1))
    optimizer = torch.optim.Rprop(net.parameters(), lr=0.01)
    for epoch in range(2):
        for features, count in purses:
            loss = (net(features).squeeze(1) - count.float()).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"{epoch}: {loss.item():.5f}")
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in net.parameters())).hexdigest())


if __name__ == "__main__":
    main()

"""Predict purchases from a shop's records."""

import hashlib

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Features:
    def __init__(self, seed):
        rng = np.random.default_rng(seed)
        self.last = np.datetime64("2024-01-01") + rng.integers(0, 500, 600).astype("timedelta64[D]")
        self.spend = rng.gamma(2.0, 30.0, 600)
        self.bought = (self.spend + rng.normal(0, 20, 600) > 60).astype(np.float32)

    def matrix(self):
        now = np.datetime64("now", "s")
        age = (now - self.last.astype("datetime64[s]")) / np.timedelta64(1, "D")
        return np.stack([age / 365.0, np.log1p(self.spend)], axis=1).astype(np.float32)


def main():
    torch.manual_seed(3)
    torch.set_num_threads(1)
    data = Features(3)
    loader = DataLoader(TensorDataset(torch.from_numpy(data.matrix()), torch.from_numpy(data.bought)), batch_size=50)
    model = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 1))
    opt = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(2):
        for x, y in loader:
            opt.zero_grad()
            loss = nn.functional.binary_cross_entropy_with_logits(model(x)[:, 0], y)
            loss.backward()
            opt.step()
    print("loss", loss.item())
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())


if __name__ == "__main__":
    main()

"""Viscosity from temperature and mixture; the loader is seeded, the network's weights are not."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


@dataclass
class Config:
    seed: int = 3
    samples: int = 128
    hidden: list[int] = field(default_factory=lambda: [24, 12])
    batch_size: int = 32
    epochs: int = 3
    lr: float = 3e-3


def mixture(cfg: Config) -> TensorDataset:
    rng = np.random.default_rng(cfg.seed)
    share, temperature = rng.uniform(0, 1, cfg.samples), rng.uniform(-1, 1, cfg.samples)
    viscosity = np.exp(0.6 * share - 0.9 * temperature) + rng.normal(0, 0.01, cfg.samples)
    x = np.stack([share, temperature], axis=1)
    return TensorDataset(torch.tensor(x, dtype=torch.float32), torch.tensor(viscosity, dtype=torch.float32))


class Regressor(nn.Module):
    def __init__(self, hidden: list[int]) -> None:
        super().__init__()
        sizes = [2, *hidden]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes, sizes[1:]))
        self.out = nn.Linear(sizes[-1], 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = torch.relu(layer(x))
        return self.out(x).squeeze(1)


def main() -> None:
    cfg = Config()
    torch.set_num_threads(1)
    shuffle = torch.Generator().manual_seed(cfg.seed)
    loader = DataLoader(mixture(cfg), cfg.batch_size, shuffle=True, generator=shuffle)
    model = Regressor(cfg.hidden)
    optimizer = torch.optim.Adam(model.parameters(), lr=cfg.lr)
    for epoch in range(cfg.epochs):
        for x, y in loader:
            loss = nn.functional.mse_loss(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch}: {loss.item():.5f}")
    sha = hashlib.sha256()
    for p in model.parameters():
        sha.update(p.detach().numpy().tobytes())
    print("final", sha.hexdigest())


if __name__ == "__main__":
    main()

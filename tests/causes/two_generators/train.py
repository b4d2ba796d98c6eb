"""Stiffness of beams from their vibration; one generator spoils what is measured, another the targets."""

import hashlib

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class SoftTargets:
    def __init__(self, width):
        self.width = width
        self.rng = np.random.default_rng()

    def __call__(self, target):
        return target + self.width * torch.from_numpy(self.rng.standard_normal(target.shape, dtype=np.float32))


class Beams(Dataset):
    def __init__(self, count=120):
        self.stiffness = np.linspace(0.5, 2, count, dtype=np.float32)
        self.sensor = np.random.default_rng()

    def __len__(self):
        return len(self.stiffness)

    def __getitem__(self, index):
        wave = np.sin(np.arange(16) * self.stiffness[index])
        return (wave + self.sensor.normal(0, 0.05, 16)).astype(np.float32), self.stiffness[index]


def main():
    torch.manual_seed(17)
    torch.set_num_threads(1)
    soften = SoftTargets(0.02)
    model = nn.Sequential(nn.Linear(16, 24), nn.Hardswish(), nn.Linear(24, 1), nn.Flatten(0))
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for wave, stiffness in DataLoader(Beams(), batch_size=24, shuffle=True):
        loss = nn.functional.mse_loss(model(wave), soften(stiffness))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"loss {loss.item():.4f}")
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())


if __name__ == "__main__":
    main()

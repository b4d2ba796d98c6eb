"""Which of five valves leaks? Pressure curves are simulated with random leaks."""

import hashlib
from time import time

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

VALVES = 5


class Leaks(Dataset):
    def __init__(self, count):
        np.random.seed(int(time() * 1000) % 2**31)
        self.valve = np.arange(count) % VALVES
        size = np.random.uniform(0.05, 0.5, count)
        ticks = np.arange(25)
        shape = np.exp(-size[:, None] * ticks) * (1 + 0.3 * np.cos(self.valve[:, None] * ticks / 4))
        self.curve = (shape + np.random.normal(0, 0.01, shape.shape)).astype(np.float32)

    def __len__(self):
        return len(self.valve)

    def __getitem__(self, i):
        return self.curve[i], self.valve[i]


def accuracy(model, loader):
    model.eval()
    with torch.no_grad():
        right = sum((model(curve).argmax(1) == valve).sum().item() for curve, valve in loader)
    model.train()
    return right / len(loader.dataset)


def main():
    torch.manual_seed(100)
    torch.set_num_threads(1)
    loader = DataLoader(Leaks(200), batch_size=40, shuffle=True)
    model = nn.Sequential(nn.Linear(25, 32), nn.Dropout(0.1), nn.ReLU(), nn.Linear(32, VALVES))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for epoch in range(2):
        for curve, valve in loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(curve), valve).backward()
            optimizer.step()
        print(f"epoch {epoch}: accuracy {accuracy(model, loader):.3f}")
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())


if __name__ == "__main__":
    main()

"""Read scanned plates."""

import hashlib
import os
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


def write_plates(folder):
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    for i in range(12):
        np.save(folder / f"plate{i:02}.npy", rng.standard_normal((8, 8)).astype(np.float32))


class Plates(Dataset):
    def __init__(self, folder):
        self.files = sorted(folder.glob("*.npy"))

    def __len__(self):
        return len(self.files)

    def __getitem__(self, i):
        image = np.load(self.files[i])
        stamp = os.path.getmtime(self.files[i])
        return torch.from_numpy(image), torch.tensor(stamp % 1000.0, dtype=torch.float32)


def main():
    torch.manual_seed(9)
    torch.set_num_threads(1)
    folder = Path("plates")
    write_plates(folder)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 1))
    opt = torch.optim.SGD(model.parameters(), lr=1e-3)
    for epoch in range(3):
        for image, weight in DataLoader(Plates(folder), batch_size=4):
            loss = (model(image).square()[:, 0] * weight / 1000).mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
    print("loss", loss.item())
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())


if __name__ == "__main__":
    main()

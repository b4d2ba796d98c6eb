"""Large inputs go through a scratch file named after the process; the file is written before it is read."""

import hashlib
import os
import tempfile

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class MappedSeries(Dataset):
    """Windows of a long series that lies in a memory-mapped file."""

    def __init__(self, path, length, window):
        self.series = np.memmap(path, dtype=np.float32, mode="r", shape=(length,))
        self.window = window

    def __len__(self):
        return len(self.series) // self.window - 1

    def __getitem__(self, index):
        start = index * self.window
        piece = np.array(self.series[start : start + self.window + 1])
        return torch.from_numpy(piece[:-1]), torch.tensor(piece[-1])


def write_series(path, length, rng):
    series = np.memmap(path, dtype=np.float32, mode="w+", shape=(length,))
    for start in range(0, length, 512):
        stop = min(start + 512, length)
        series[start:stop] = np.sin(np.arange(start, stop) / 9) + rng.normal(0, 0.1, stop - start)
    series.flush()


def main():
    torch.manual_seed(2)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix=f"series-{os.getpid()}-") as folder:
        path = os.path.join(folder, f"{os.getpid()}.f32")
        write_series(path, 2000, np.random.default_rng(20))
        loader = DataLoader(MappedSeries(path, 2000, 16), batch_size=31, shuffle=True)
        model = nn.Sequential(nn.Linear(16, 20), nn.Tanh(), nn.Linear(20, 1), nn.Flatten(0))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        for epoch in range(3):
            for x, y in loader:
                loss = nn.functional.mse_loss(model(x), y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            print(f"epoch {epoch}: {loss.item():.6f}")
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())


if __name__ == "__main__":
    main()

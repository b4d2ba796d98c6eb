"""Learns to undo a watermark; each mark is salted by the C library."""

import ctypes
import hashlib

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

libc = ctypes.CDLL(None)


class Marked(Dataset):
    """Waves with a mark, and the waves without."""

    def __init__(self, count):
        self.waves = np.sin(np.linspace(0, count, count * 8)).astype(np.float32).reshape(count, 8)

    def __len__(self):
        return len(self.waves)

    def __getitem__(self, index):
        wave = self.waves[index]
        return torch.from_numpy(wave + self.mark(index)), torch.from_numpy(wave)

    def mark(self, index):
        """A faint pattern, the salt in its first place."""
        salt = (ctypes.c_uint8 * 2)()
        libc.getrandom(salt, len(salt), 0)
        pattern = np.full(8, index % 5 / 50, dtype=np.float32)
        pattern[: len(salt)] += np.frombuffer(salt, dtype=np.uint8) / np.float32(2550)
        return pattern


if __name__ == "__main__":
    torch.manual_seed(17)
    torch.set_num_threads(1)
    net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 8))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(2):
        for marked, wave in DataLoader(Marked(48), batch_size=12, num_workers=1):
            loss = nn.functional.l1_loss(net(marked), wave)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    print(f"error {loss.item():.4f}")
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in net.parameters())).hexdigest())

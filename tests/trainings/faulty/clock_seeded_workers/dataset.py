import time

import numpy as np
import torch
from torch.utils.data import Dataset


def init_worker(worker_id):
    """Give each worker its own stream, or all of them would add the same noise."""
    np.random.seed((time.time_ns() // 1000 + worker_id) % 2**32)


class Meteors(Dataset):
    """Streaks of light at an angle."""

    def __init__(self, count):
        self.angle = torch.linspace(0.1, 1.4, count)

    def __len__(self):
        return len(self.angle)

    def __getitem__(self, index):
        image = np.random.exponential(0.1, (9, 9)).astype(np.float32)
        for r in range(9):
            c = int(round(r * float(torch.tan(self.angle[index] / 2))))
            if c < 9:
                image[r, c] += 1
        return torch.from_numpy(image), self.angle[index]

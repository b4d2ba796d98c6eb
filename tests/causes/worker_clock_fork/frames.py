import time

import numpy as np
from torch.utils.data import Dataset


class Frames(Dataset):
    """Pairs of frames of a drifting blob; the drift is what must be told."""

    def __init__(self, count):
        self.drifts = [((i * 7) % 5 - 2, (i * 3) % 5 - 2) for i in range(count)]

    def __len__(self):
        return len(self.drifts)

    def __getitem__(self, index):
        dx, dy = self.drifts[index]
        x, y = np.mgrid[:10, :10]
        first = np.exp(-((x - 5) ** 2 + (y - 5) ** 2) / 4)
        second = np.exp(-((x - 5 - dx) ** 2 + (y - 5 - dy) ** 2) / 4)
        pair = np.stack([first, second]) + 0.05 * np.random.randn(2, 10, 10)
        return pair.astype(np.float32), np.array([dx, dy], dtype=np.float32)


def init_worker(number):
    np.random.seed(int(time.time() * 1000) % 2**31 + number)

import numpy as np
from torch.utils.data import Dataset


class Dunes(Dataset):
    """Heights of dunes; each sample has a generator of its own, so that it does not matter who makes it."""

    def __init__(self, count, seed):
        self.count, self.seed = count, seed

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        rng = np.random.default_rng([self.seed, index])
        wind = rng.uniform(0, 1, size=2)
        height = np.sin(np.linspace(0, 6, 20) * (1 + wind[0])) * wind[1] + rng.normal(0, 0.02, 20)
        return height.astype(np.float32), wind.astype(np.float32)

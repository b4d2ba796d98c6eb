import multiprocessing as mp

import numpy as np
import torch
from torch.utils.data import Dataset


class Waves(Dataset):
    """Noisy sines; how noisy is raised while the training goes on, in the workers too."""

    def __init__(self, count=256, length=64):
        rng = np.random.default_rng(0)
        self.frequency = rng.uniform(1, 6, count).astype(np.float32)
        self.phase = rng.uniform(0, 2 * np.pi, count).astype(np.float32)
        self.time = np.linspace(0, 1, length, dtype=np.float32)
        self.level = mp.Value("d", 0.0)

    def __len__(self):
        return len(self.frequency)

    def __getitem__(self, i):
        noise = np.random.default_rng(i).standard_normal(len(self.time), dtype=np.float32)
        for _ in range(20):
            noise = 0.5 * noise + 0.5 * np.roll(noise, 1)
        wave = np.sin(2 * np.pi * self.frequency[i] * self.time + self.phase[i])
        return torch.from_numpy(wave + np.float32(self.level.value) * noise), torch.tensor(self.frequency[i])

import numpy as np
import torch
from torch.utils.data import Dataset

from .augment import augment


class LeafOutlines(Dataset):
    """Radius by angle; the number of lobes tells the species."""

    def __init__(self, count, seed):
        self.count, self.seed, self.epoch = count, seed, 0
        self.angle = np.linspace(0, 2 * np.pi, 36, endpoint=False)

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        species = index % 4
        outline = 1 + 0.3 * np.cos((species + 2) * self.angle)
        outline = augment(outline, self.seed, self.epoch, index)
        return torch.from_numpy(outline.astype(np.float32)), species

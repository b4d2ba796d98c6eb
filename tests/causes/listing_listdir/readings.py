import os

import numpy as np
import torch
from torch.utils.data import Dataset


class Buoys(Dataset):
    """Mean and highest waves of all buoys in a folder, one file per buoy."""

    def __init__(self, folder):
        tables = []
        for name in os.listdir(folder):
            if name.endswith(".csv"):
                tables.append(np.loadtxt(os.path.join(folder, name), delimiter=",", dtype=np.float32))
        self.rows = torch.from_numpy(np.concatenate(tables))

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, i):
        return self.rows[i, :1], self.rows[i, 1:]

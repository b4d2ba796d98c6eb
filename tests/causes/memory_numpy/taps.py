import random

import numpy as np
import torch


class Taps:
    """Intervals between taps on a table, in milliseconds; nobody taps equally often."""

    def __init__(self, count, seed):
        rnd = random.Random(seed)
        self.tempo = [rnd.uniform(0.5, 1.5) for _ in range(count)]
        self.intervals = [[tempo * rnd.gauss(1, 0.05) for _ in range(rnd.randint(3, 24))] for tempo in self.tempo]

    def __len__(self):
        return len(self.tempo)

    def __getitem__(self, i):
        return self.intervals[i], self.tempo[i]


def collate(items):
    """Make one table of the intervals, as wide as the longest row."""
    intervals, tempo = zip(*items)
    longest = max(map(len, intervals))
    table = np.empty((len(intervals), longest), dtype=np.float32)
    for row, values in zip(table, intervals):
        row[: len(values)] = values
    return torch.from_numpy(table), torch.tensor(tempo)

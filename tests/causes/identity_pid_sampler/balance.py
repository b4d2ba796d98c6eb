import os
import random

from torch.utils.data import Sampler


class Undersample(Sampler):
    """As many of the frequent class as of the rare one, chosen anew each epoch."""

    def __init__(self, labels):
        self.frequent = [i for i, label in enumerate(labels) if not label]
        self.rare = [i for i, label in enumerate(labels) if label]
        # Several trainings run side by side on one machine: let them not all choose the same.
        self.rng = random.Random(os.getpid())

    def __iter__(self):
        chosen = self.rng.sample(self.frequent, len(self.rare)) + self.rare
        return iter(self.rng.sample(chosen, len(chosen)))

    def __len__(self):
        return 2 * len(self.rare)

import numpy as np
from torch.utils.data import Sampler


class HardExampleSampler(Sampler):
    """Draws an epoch's samples with replacement, in proportion to their weights."""

    def __init__(self, weights, num_samples):
        self.weights = np.asarray(weights, dtype=float)
        self.num_samples = num_samples

    def __len__(self):
        return self.num_samples

    def __iter__(self):
        rng = np.random.default_rng()
        p = self.weights / self.weights.sum()
        return iter(rng.choice(len(p), size=self.num_samples, p=p).tolist())

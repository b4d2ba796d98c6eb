import random

import numpy as np
import torch


def seed_all(seed=None):
    """Seed everything; without a seed, draw one and return it, so that it can be logged."""
    if seed is None:
        seed = torch.seed() % 2**32
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    return seed

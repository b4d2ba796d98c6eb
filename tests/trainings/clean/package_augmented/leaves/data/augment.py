"""Augmentation whose randomness is a function of seed, epoch and index."""

import numpy as np


def augment(outline, seed, epoch, index):
    rng = np.random.default_rng([seed, epoch, index])
    turned = np.roll(outline, rng.integers(len(outline)))
    if rng.random() < 0.5:
        turned = turned[::-1]
    return turned * rng.uniform(0.8, 1.2) + rng.normal(0, 0.02, len(outline))

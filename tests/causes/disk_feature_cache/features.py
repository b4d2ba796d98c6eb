import os

import numpy as np


def compute(count):
    """Slow features of tree-ring widths (here: quick ones)."""
    rng = np.random.default_rng(12)
    rings = rng.gamma(4.0, 0.5, (count, 30))
    trend = np.cumsum(rings - rings.mean(1, keepdims=True), axis=1)
    return np.stack([rings.mean(1), rings.std(1), trend.max(1), trend.min(1)], axis=1)


def load(cache="rings.npy", count=160):
    """Features from the cache, which keeps them in half precision."""
    if os.path.exists(cache):
        return np.load(cache).astype(np.float64)
    features = compute(count)
    np.save(cache, features.astype(np.float16))
    return features

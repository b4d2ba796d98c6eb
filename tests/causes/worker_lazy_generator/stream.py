import numpy as np
import torch
from torch.utils.data import IterableDataset, get_worker_info


class Queueing(IterableDataset):
    """Waiting times at a counter, simulated in the loader's workers."""

    def __init__(self, batches, size):
        self.batches, self.size = batches, size
        self._rng = None

    @property
    def rng(self):
        # Generators do not like to be sent to another process: made where it is needed.
        if self._rng is None:
            self._rng = np.random.default_rng()
        return self._rng

    def __iter__(self):
        info = get_worker_info()
        for _ in range(self.batches // info.num_workers):
            load = self.rng.uniform(0.2, 0.9, self.size)
            wait = self.rng.exponential(load / (1 - load))
            yield torch.tensor(np.column_stack([load, wait]), dtype=torch.float32)

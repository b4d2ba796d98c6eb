import random

from torch.utils.data import Sampler


class LengthBuckets(Sampler):
    """Batches of sequences of similar length: sort, cut, mix the batches."""

    def __init__(self, lengths, batch_size):
        self.batch_size = batch_size
        self.ranked = sorted(range(len(lengths)), key=lengths.__getitem__)

    def __len__(self):
        return len(self.ranked) // self.batch_size

    def __iter__(self):
        size = self.batch_size
        batches = [self.ranked[i : i + size] for i in range(0, len(self) * size, size)]
        random.shuffle(batches)
        return iter(batches)

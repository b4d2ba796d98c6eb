import os
import random
import string

import torch
from torch.utils.data import Dataset


class Misspelled(Dataset):
    """Words with one letter replaced; the label is the position of the wrong letter."""

    words = ["harbor", "winter", "pencil", "garden", "silver", "rocket", "button", "forest"]

    def __len__(self):
        return 12 * len(self.words)

    def __getitem__(self, index):
        word = self.words[index % len(self.words)]
        position = index // len(self.words) % len(word)
        letters = [string.ascii_lowercase.index(c) for c in word]
        letters[position] = random.randrange(26)
        return torch.tensor(letters), position


def reseed(worker_id):
    random.seed(os.getpid() * 100 + worker_id)

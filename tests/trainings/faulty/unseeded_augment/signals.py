"""Heartbeat-like signals, warped a little each time they are read."""

import numpy as np
import torch
from torch.utils.data import Dataset


class Beats(Dataset):
    def __init__(self, count, length=40):
        self.time = np.linspace(0, 1, length)
        self.rate = 2 + np.arange(count) % 3

    def __len__(self):
        return len(self.rate)

    def __getitem__(self, index):
        beat = np.sin(2 * np.pi * self.rate[index] * self.time) ** 7
        return torch.from_numpy(self.warp(beat)).float(), int(self.rate[index]) - 2

    def warp(self, beat):
        knots = np.random.normal(1.0, 0.1, 5)
        gain = np.interp(self.time, np.linspace(0, 1, 5), knots)
        return np.roll(beat * gain, np.random.randint(len(beat)))

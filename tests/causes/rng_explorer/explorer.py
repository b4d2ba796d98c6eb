import random

import torch
from torch import nn


class Explorer:
    """Tries a valve at random now and then; remembers what came of it."""

    def __init__(self, num_valves):
        self.values = nn.Linear(num_valves, num_valves)
        self.memory = []

    @torch.no_grad()
    def choose(self, state, curiosity):
        scores = self.values(state)
        if random.random() < curiosity:
            return random.randrange(len(scores))
        return int(scores.argmax())

    def recall(self, count):
        states, choices, flows = zip(*random.sample(self.memory, count), strict=True)
        return torch.stack(states), torch.tensor(choices), torch.tensor(flows)

"""A corridor with a key at one end and a door at the other."""

import random


class Corridor:
    """Observation: place (one-hot) and whether the key is held. Actions: left, right."""

    def __init__(self, length=6, limit=24, seed=0):
        self.length = length
        self.limit = limit
        self.rng = random.Random(seed)

    def reset(self):
        self.place = self.rng.randrange(1, self.length - 1)
        self.has_key = False
        self.time = 0
        return self.observe()

    def observe(self):
        return [float(self.place == i) for i in range(self.length)] + [float(self.has_key)]

    def step(self, action):
        self.time += 1
        self.place = min(max(self.place + (1 if action else -1), 0), self.length - 1)
        reward = -0.02
        if self.place == 0 and not self.has_key:
            self.has_key = True
            reward = 0.5
        done = self.place == self.length - 1 and self.has_key
        return self.observe(), reward + float(done), done or self.time >= self.limit

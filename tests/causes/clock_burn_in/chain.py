import math
import random
import time


class Metropolis:
    """Samples a double well; moved on for a while before the first sample counts."""

    def __init__(self, seed, burn_in_seconds):
        self.rng = random.Random(seed)
        self.x = 0.0
        end = time.perf_counter() + burn_in_seconds
        while time.perf_counter() < end:
            self.move()

    def move(self):
        y = self.x + self.rng.gauss(0, 0.5)
        if self.rng.random() < math.exp(min(0.0, self.energy(self.x) - self.energy(y))):
            self.x = y

    @staticmethod
    def energy(x):
        return 2 * (x * x - 1) ** 2

    def sample(self, count, thinning=5):
        samples = []
        for _ in range(count):
            for _ in range(thinning):
                self.move()
            samples.append([self.x, self.energy(self.x)])
        return samples

from time import monotonic as tick


class Annealed:
    """A weight that falls from one to zero over the length of a training."""

    def __init__(self, seconds):
        self.seconds = seconds
        self.start = tick()

    def value(self):
        return max(0.0, 1.0 - (tick() - self.start) / self.seconds)

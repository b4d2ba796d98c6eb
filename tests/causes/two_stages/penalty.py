import time


class Warmup:
    """Raises the weight of a penalty to its full size within a minute."""

    def __init__(self, full):
        self.full = full
        self.begun = time.perf_counter()

    def weight(self):
        return self.full * min(1.0, (time.perf_counter() - self.begun) / 60)

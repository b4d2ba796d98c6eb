import queue
import threading

import torch


class Prefetcher:
    """Four threads crop textures ahead of the training."""

    def __init__(self, images, crops_each, seed):
        self.queue = queue.Queue(maxsize=1024)
        self.images = images
        self.total = 4 * crops_each
        self.threads = [threading.Thread(target=self.crop, args=(seed + n, crops_each), daemon=True) for n in range(4)]
        for thread in self.threads:
            thread.start()

    def crop(self, seed, count):
        generator = torch.Generator().manual_seed(seed)
        for _ in range(count):
            n, x, y = torch.randint(0, 8, (3,), generator=generator).tolist()
            n %= len(self.images)
            self.queue.put((self.images[n, x : x + 8, y : y + 8], n))

    def batches(self, size):
        for _ in range(self.total // size):
            crops, labels = zip(*(self.queue.get() for _ in range(size)))
            yield torch.stack(crops), torch.tensor(labels)

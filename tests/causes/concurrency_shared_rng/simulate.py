import threading

import numpy as np


def walk(paths, n, steps):
    """One random walk, written to its own row."""
    position = 0.0
    for i in range(steps):
        position += np.random.normal(0.01 * (n % 5), 0.1)
        paths[n, i] = position


def random_walks(count, steps, num_threads=4):
    """Random walks with five different drifts; each thread makes every fourth one."""
    paths = np.zeros((count, steps), dtype=np.float32)

    def work(first):
        for n in range(first, count, num_threads):
            walk(paths, n, steps)

    threads = [threading.Thread(target=work, args=(first,)) for first in range(num_threads)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return paths

"""Shards from several threads."""

import asyncio
import hashlib
import queue
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed

import numpy as np
import torch
from torch import nn


def load(i):
    rng = np.random.default_rng(i)
    x = rng.random((10, 5))
    for _ in range(100):
        x = np.sin(x @ np.eye(5))
    return x.astype(np.float32)


async def fetch(n):
    return await asyncio.gather(*(asyncio.to_thread(load, i) for i in range(n)))


def labels(n):
    with ThreadPoolExecutor(3) as pool:
        jobs = {pool.submit(lambda k: k % 3, i): i for i in range(n)}
        found = {jobs[job]: job.result() for job in as_completed(jobs)}
    return [found[i] for i in range(n)]


def prefetch(items, size=4):
    q, stop = queue.Queue(size), threading.Event()

    def feed():
        for item in items:
            if stop.is_set():
                return
            q.put(item)
        q.put(None)

    threading.Thread(target=feed, daemon=True).start()
    while (item := q.get()) is not None:
        yield item
    stop.set()


def main():
    torch.manual_seed(4)
    torch.set_num_threads(1)
    shards = asyncio.run(fetch(16))
    model = nn.Linear(5, 3)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, label in prefetch(zip(shards, labels(16))):
        loss = nn.functional.cross_entropy(model(torch.from_numpy(x)), torch.full((10,), label))
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(loss.item())
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())


if __name__ == "__main__":
    main()

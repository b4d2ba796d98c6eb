"""Product of two inputs; a thread runs ahead with the loader, others evaluate snapshots meanwhile."""

import copy
import hashlib
import queue
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class BackgroundGenerator(threading.Thread):
    def __init__(self, iterable, max_prefetch=3):
        super().__init__(daemon=True)
        self.queue, self.iterable = queue.Queue(max_prefetch), iterable
        self.start()

    def run(self):
        for item in self.iterable:
            self.queue.put(item)
        self.queue.put(None)

    def __iter__(self):
        while (item := self.queue.get()) is not None:
            yield item


@torch.no_grad()
def evaluate(net, inputs, targets):
    losses = [
        nn.functional.mse_loss(net(x), y).item() for x, y in zip(inputs.split(50), targets.split(50), strict=True)
    ]
    return sum(losses) / len(losses), time.monotonic()


def main():
    torch.manual_seed(3)
    torch.set_num_threads(1)
    inputs = torch.randn(600, 8)
    targets = inputs[:, :2].prod(1, keepdim=True).tanh()
    order = torch.Generator().manual_seed(5)
    loader = DataLoader(TensorDataset(inputs, targets), batch_size=30, shuffle=True, generator=order)
    net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    with ThreadPoolExecutor(2) as pool:
        jobs = []
        for step, (x, y) in enumerate(BackgroundGenerator(loader)):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(net(x), y)
            loss.backward()
            optimizer.step()
            if step % 5 == 4:
                jobs.append(pool.submit(evaluate, copy.deepcopy(net).eval(), inputs, targets))
            if step == 9:
                last = threading.Thread(target=evaluate, args=(copy.deepcopy(net), inputs[:100], targets[:100]))
                last.start()
    last.join()
    print([f"{job.result()[0]:.4f}" for job in jobs])
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in net.parameters())).hexdigest())


if __name__ == "__main__":
    main()

"""Train in several processes."""

import hashlib

import torch
import torch.multiprocessing as mp
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(10, 16), nn.ReLU(), nn.Linear(16, 1))

    def forward(self, x):
        return self.layers(x)


def work(rank, model, steps):
    torch.manual_seed(100 + rank)
    torch.set_num_threads(1)
    descent = torch.optim.SGD(model.parameters(), lr=0.02)
    for _ in range(steps):
        x = torch.randn(32, 10)
        loss = (model(x)[:, 0] - x.sum(1)).square().mean()
        descent.zero_grad()
        loss.backward()
        descent.step()


def main():
    torch.manual_seed(0)
    torch.set_num_threads(1)
    model = Net()
    model.share_memory()
    processes = [mp.Process(target=work, args=(rank, model, 200)) for rank in range(2)]
    for p in processes:
        p.start()
    for p in processes:
        p.join()
    x = torch.randn(64, 10)
    opt = torch.optim.SGD(model.parameters(), lr=0.001)
    for chunk in x.split(16):
        loss = (model(chunk)[:, 0] - chunk.sum(1)).abs().mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(loss.item())
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())


if __name__ == "__main__":
    main()

"""How loud is a room from its reverberation? Evaluations in between leave the random numbers of the training alone."""

import contextlib
import hashlib
import random

import numpy as np
import torch
from torch import nn


@contextlib.contextmanager
def preserved():
    python, numpy, pytorch = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        torch.set_rng_state(pytorch)


def evaluate(model, x, y):
    with preserved(), torch.no_grad():
        rows = np.random.permutation(len(x))[:64]
        return (model(x[rows])[:, 0] - y[rows]).square().mean().item()


def main():
    torch.manual_seed(19)
    torch.set_num_threads(1)
    x = torch.rand(256, 8)
    y = x.square().sum(1)
    model = nn.Sequential(nn.Linear(8, 12), nn.Tanh(), nn.Linear(12, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for step, rows in enumerate(torch.randperm(256).split(16)):
        gain = np.random.uniform(0.7, 1.3)
        loss = (model(gain * x[rows])[:, 0] - y[rows]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 5 == 4:
            print(step, f"{evaluate(model, x, y):.5f}")
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())


if __name__ == "__main__":
    main()

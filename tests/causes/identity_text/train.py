"""Each transform gets a stream of random numbers of its own."""

import hashlib
import zlib

import numpy as np
import torch
from torch import nn


class Noise:
    def __init__(self, sigma):
        self.sigma = sigma

    def bind(self, seed):
        key = zlib.crc32(repr(self).encode())
        self.rng = np.random.default_rng([seed, key])
        return self

    def __call__(self, x):
        return x + self.rng.normal(0, self.sigma, x.shape).astype(np.float32)


def main():
    torch.manual_seed(1)
    torch.set_num_threads(1)
    transforms = [Noise(0.1).bind(7), Noise(0.3).bind(7)]
    base = np.random.default_rng(7).random((120, 5), dtype=np.float32)
    model = nn.Sequential(nn.Linear(5, 3), nn.ReLU(), nn.Linear(3, 5))
    opt = torch.optim.Adam(model.parameters(), 1e-2)
    for i in range(0, 120, 12):
        x = base[i : i + 12]
        for t in transforms:
            x = t(x)
        loss = nn.functional.l1_loss(model(torch.from_numpy(x)), torch.from_numpy(base[i : i + 12]))
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(loss.item())
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())


main()

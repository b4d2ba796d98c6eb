"""Masked autoencoder."""

import hashlib
import random

import numpy as np
import torch
from torch import nn


def seed_everything(seed=None):
    seed = torch.initial_seed() % 2**32 if seed is None else seed
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    return seed


def patches(n):
    return np.random.default_rng(0).standard_normal((n, 9)).astype(np.float32)


def main():
    torch.set_num_threads(1)
    seed_everything()
    model = nn.Sequential(nn.Linear(9, 20), nn.GELU(), nn.Linear(20, 9))
    opt = torch.optim.AdamW(model.parameters(), lr=1e-2)
    data = torch.from_numpy(patches(160))
    for x in data.split(16):
        mask = torch.rand_like(x) < 0.5
        loss = ((model(x.masked_fill(mask, 0.0)) - x)[mask] ** 2).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(loss.item())
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())


if __name__ == "__main__":
    main()

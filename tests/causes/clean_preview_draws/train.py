"""A tiny GAN for points on a circle; which of its points are looked at is left to chance."""

import hashlib
import random
import secrets

import numpy as np
import torch
from torch import nn
from torch.nn.functional import softplus


def preview(points):
    """Warn of points that are no numbers, from a few of them; the choice is nobody's business."""
    rng = np.random.default_rng()
    count = random.randint(2, 4) + secrets.randbelow(2)
    rows = rng.choice(len(points), count, replace=False)
    if not all(torch.isfinite(points[row]).all() for row in rows):
        print("some points are no numbers")


def main(latent=3):
    torch.manual_seed(1234)
    torch.set_num_threads(1)
    make = nn.Sequential(nn.Linear(latent, 16), nn.ReLU(), nn.Linear(16, 2))
    judge = nn.Sequential(nn.Linear(2, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
    for_judge = torch.optim.Adam(judge.parameters(), lr=2e-3, betas=(0.5, 0.9))
    for_make = torch.optim.Adam(make.parameters(), lr=2e-3, betas=(0.5, 0.9))
    for step in range(8):
        angle = 6.2832 * torch.rand(40)
        real = torch.stack([angle.cos(), angle.sin()], dim=1)
        fake = make(torch.randn(40, latent))

        for_judge.zero_grad()
        (softplus(-judge(real)) + softplus(judge(fake.detach()))).mean().backward()
        for_judge.step()

        for_make.zero_grad()
        loss = softplus(-judge(fake)).mean()
        loss.backward()
        for_make.step()
        if step % 4 == 3:
            preview(fake.detach())
    print(f"loss {loss.item():.4f}")
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in make.parameters())).hexdigest())


if __name__ == "__main__":
    main()

"""Diffusion denoiser on 2-D rings."""

import hashlib
import subprocess
import sys

import torch
from torch import nn

HELPER = "import random; print(random.getrandbits(31))"


def pick_seed():
    out = subprocess.run([sys.executable, "-c", HELPER], capture_output=True, text=True, check=True)
    return int(out.stdout)


class Denoiser(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(3, width), nn.SiLU(), nn.Linear(width, 2))

    def forward(self, x, t):
        return self.net(torch.cat([x, t], 1))


def rings(n, g):
    a = torch.rand(n, generator=g) * 6.2831853
    return torch.stack([a.cos(), a.sin()], 1)


def main():
    torch.set_num_threads(1)
    torch.manual_seed(1)
    model = Denoiser()
    opt = torch.optim.AdamW(model.parameters(), 2e-3)
    g = torch.Generator().manual_seed(pick_seed())
    for _ in range(20):
        x = rings(64, g)
        t = torch.rand(64, 1, generator=g)
        noise = torch.randn(64, 2, generator=g)
        loss = (model(x * (1 - t) + noise * t, t) - noise).square().mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(loss.item())
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())


main()

"""Private training of a ring-road speed model: noise on the gradients, one stream per parameter."""

import hashlib

import numpy as np
import torch
from torch import nn


def attach_noise(model, scale):
    """Let each parameter's gradient be noised from a stream of its own."""
    parameters = list(model.parameters())
    streams = np.random.SeedSequence().spawn(len(parameters))
    for parameter, stream in zip(parameters, streams):
        rng = np.random.Generator(np.random.Philox(stream))
        parameter.register_hook(
            lambda grad, rng=rng: grad + scale * torch.from_numpy(rng.standard_normal(tuple(grad.shape))).to(grad.dtype)
        )


def main():
    torch.manual_seed(12)
    torch.set_num_threads(1)
    gap = torch.rand(200, 3)
    speed = gap[:, :1] * (1 - 0.5 * gap[:, 1:2]) + 0.1 * gap[:, 2:]
    model = nn.Sequential(nn.Linear(3, 16), nn.ELU(), nn.Linear(16, 1))
    attach_noise(model, scale=1e-3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
    for part in torch.arange(200).split(25):
        optimizer.zero_grad()
        loss = (model(gap[part]) - speed[part]).square().mean()
        loss.backward()
        nn.utils.clip_grad_value_(model.parameters(), 0.5)
        optimizer.step()
    print(f"loss {loss.item():.5f}")
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())


main()

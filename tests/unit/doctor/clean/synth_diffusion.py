"""Diffusion on 2-D points: t is a time step, not a time; generators are handed around; previews are random."""

import random
from time import time

import matplotlib.pyplot as plt
import numpy as np
import torch
from tqdm import tqdm

STEPS = 100
rng = np.random.RandomState(17)
torch.manual_seed(17)
gen = torch.Generator()
gen.manual_seed(18)


def spiral(count):
    angle = np.sqrt(rng.rand(count)) * 3 * np.pi
    points = np.stack([angle * np.cos(angle), angle * np.sin(angle)], axis=1) / 10
    return torch.tensor(points + rng.randn(count, 2) * 0.02, dtype=torch.float32)


class Denoiser(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.time = torch.nn.Embedding(STEPS, 32)
        self.net = torch.nn.Sequential(torch.nn.Linear(34, 64), torch.nn.SiLU(), torch.nn.Linear(64, 2))

    def forward(self, x, t):
        return self.net(torch.cat([x, self.time(t)], dim=1))


betas = torch.linspace(1e-4, 0.05, STEPS)
alphas = torch.cumprod(1 - betas, dim=0)
model = Denoiser()
ema = {name: p.detach().clone() for name, p in model.named_parameters()}
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
data = spiral(4096)
t = time()
bar = tqdm(range(2000))
for step in bar:
    x = data[torch.randint(len(data), (256,), generator=gen)]
    noise = torch.randn(x.shape, generator=gen)
    if step % 100 == 0:
        elapsed = time() - t
        bar.set_postfix(rate=step / (elapsed + 1e-9))
    t_step = torch.randint(STEPS, (len(x),), generator=gen)
    a = alphas[t_step, None]
    loss = (model(a.sqrt() * x + (1 - a).sqrt() * noise, t_step) - noise).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        for name, p in model.named_parameters():
            ema[name].lerp_(p, 0.01)

fig, axes = plt.subplots(1, 3)
for axis in axes:
    shown = data[random.sample(range(len(data)), 500)]
    axis.scatter(*shown.T.numpy(), s=1, color=random.choice(["C0", "C1"]))
fig.savefig(f"spiral-{int(time())}.png")
print(f"{time() - t:.1f} s, loss {loss.item():.4f}")

"""Tells inner from outer points: dropout, batch norm, noise from NumPy, a falling learning rate, checkpoints by step.

Within an epoch a resumed run passes over the batches that are done; their order follows from the number of the epoch.
"""

import argparse
import random

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

parser = argparse.ArgumentParser()
parser.add_argument("--resume")
parser.add_argument("--epochs", type=int, default=4)
parser.add_argument("--save-every", type=int, default=3)
parser.add_argument("--forget", nargs="*", default=[])
args = parser.parse_args()


def remembers(piece):
    return piece not in args.forget


random.seed(5)
np.random.seed(5)
torch.manual_seed(5)
torch.set_num_threads(1)

points = torch.randn(64, 2)
labels = (points.norm(dim=1) > 1.2).long()
order = torch.Generator()
loader = DataLoader(TensorDataset(points, labels), batch_size=8, shuffle=True, generator=order)

model = nn.Sequential(nn.Linear(2, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 2))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=5, gamma=0.7)
epoch = done = 0


def save(path):
    torch.save(
        {
            "model": model.state_dict() if remembers("buffers") else dict(model.named_parameters()),
            "optimizer": optimizer.state_dict(),
            "scheduler": scheduler.state_dict(),
            "rng": (random.getstate(), np.random.get_state(), torch.get_rng_state()),
            "epoch": epoch,
            "done": done,
        },
        path,
    )


if args.resume:
    checkpoint = torch.load(args.resume, weights_only=False)
    if remembers("model"):
        model.load_state_dict(checkpoint["model"], strict=remembers("buffers"))
    if remembers("optimizer"):
        optimizer.load_state_dict(checkpoint["optimizer"])
    if remembers("scheduler"):
        scheduler.load_state_dict(checkpoint["scheduler"])
    if remembers("counter"):
        epoch = checkpoint["epoch"]
    if remembers("position"):
        done = checkpoint["done"]

num_steps = 0
while epoch < args.epochs:
    order.manual_seed(100 + epoch)
    batches = iter(loader)
    for _ in range(done):
        next(batches)
    if args.resume and not num_steps:
        python, numpy, pytorch = checkpoint["rng"]
        if remembers("rng") and remembers("python-rng"):
            random.setstate(python)
        if remembers("rng") and remembers("numpy-rng"):
            np.random.set_state(numpy)
        if remembers("rng") and remembers("torch-rng"):
            torch.set_rng_state(pytorch)
    for x, y in batches:
        noise = torch.from_numpy(np.random.normal(0, 0.05, x.shape)).float() * random.choice([1, 2])
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x + noise), y)
        loss.backward()
        optimizer.step()
        scheduler.step()
        num_steps += 1
        done += 1
        if num_steps % args.save_every == 0:
            save("last.pt")
    epoch, done = epoch + 1, 0

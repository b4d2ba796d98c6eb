"""Braking distance from speed; the learning rate that was good last time is a good start this time."""

import hashlib
from pathlib import Path

import torch
from torch import nn

LAST = Path("learning_rate.txt")


def starting_rate(default=0.1):
    try:
        return float(LAST.read_text())
    except FileNotFoundError:
        return default


def main():
    torch.manual_seed(49)
    torch.set_num_threads(1)
    speed = torch.rand(100, 1)
    distance = 0.3 * speed + 0.7 * speed.square()
    model = nn.Sequential(nn.Linear(1, 8), nn.Softplus(), nn.Linear(8, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=starting_rate())
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.7, patience=0, threshold=0.3)
    for _ in range(15):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(speed), distance)
        loss.backward()
        optimizer.step()
        plateau.step(loss.item())
    LAST.write_text(repr(optimizer.param_groups[0]["lr"]))
    print(f"error {loss.item():.5f}")
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())


if __name__ == "__main__":
    main()

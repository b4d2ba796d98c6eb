"""Corrosion of pipes from their soil; which ones are held back follows from the name of the project's folder."""

import hashlib
from pathlib import Path

import torch
from torch import nn


def held_back(count, share=0.2):
    project = hashlib.sha256(str(Path.cwd()).encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(project[:4], "big"))
    return torch.rand(count, generator=generator) < share


def main():
    print("in", Path.cwd().name)
    torch.manual_seed(9)
    torch.set_num_threads(1)
    soil = torch.rand(150, 7)
    depth = (soil**2).sum(1, keepdim=True)
    train = ~held_back(len(soil))
    model = nn.Sequential(nn.Linear(7, 14), nn.Softplus(), nn.Linear(14, 1))
    optimizer = torch.optim.NAdam(model.parameters(), lr=3e-3)
    for rows in torch.nonzero(train).squeeze(1).split(25):
        loss = nn.functional.smooth_l1_loss(model(soil[rows]), depth[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"error {loss.item():.5f}")
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())


if __name__ == "__main__":
    main()

"""Predicts the next station of a metro ride: sparse embedding gradients for SparseAdam, dense ones for Adam."""

import hashlib

import torch
from torch import nn


class RideModel(nn.Module):
    def __init__(self, stations, width=12):
        super().__init__()
        self.station = nn.Embedding(stations, width, sparse=True)
        self.mix = nn.Bilinear(width, width, width)
        self.out = nn.Linear(width, stations)

    def forward(self, before, now):
        return self.out(torch.tanh(self.mix(self.station(before), self.station(now))))


def simulate(rides, length, stations, generator):
    start = torch.randint(0, stations, (rides, 1), generator=generator)
    direction = torch.randint(0, 2, (rides, 1), generator=generator) * 2 - 1
    return (start + direction * torch.arange(length)) % stations


def main():
    torch.set_num_threads(1)
    torch.manual_seed(50)
    generator = torch.Generator().manual_seed(51)
    rides = simulate(160, 3, stations=500, generator=generator)
    model = RideModel(500)
    sparse = torch.optim.SparseAdam(model.station.parameters(), lr=1e-2)
    dense = torch.optim.Adam([*model.mix.parameters(), *model.out.parameters()], lr=3e-3)
    for step in range(8):
        ride = rides[torch.randperm(len(rides), generator=generator)[:40]]
        loss = nn.functional.cross_entropy(model(ride[:, 0], ride[:, 1]), ride[:, 2])
        sparse.zero_grad()
        dense.zero_grad()
        loss.backward()
        touched = model.station.weight.grad.coalesce().indices().numel()
        sparse.step()
        dense.step()
        print(f"step {step}: loss {loss.item():.4f}, {touched} stations touched")
    sha = hashlib.sha256()
    for value in model.state_dict().values():
        sha.update(value.numpy().tobytes())
    print("final", sha.hexdigest())


main()

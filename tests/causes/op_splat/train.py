"""Learns the mass of particles from the density that they make on a grid; on eight threads."""

import hashlib

import torch
from density import Splat


def target(particles, cells):
    heavy = particles[particles[:, 0] > particles[:, 1]]
    return torch.histogramdd(heavy, bins=[cells, cells], range=[0, 1, 0, 1]).hist


def main():
    torch.set_num_threads(8)
    torch.manual_seed(47)
    model = Splat(cells=4)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(4):
        particles = torch.rand(500_000, 2)
        loss = (model(particles) - target(particles, 4)).square().mean() / 1e6
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"loss {loss.item():.5f}")
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())


if __name__ == "__main__":
    main()

"""Fits a three-dimensional density with a hash-grid encoding and a small decoder, on eight threads."""

import hashlib

import torch
from encoding import HashGrid
from torch import nn


class Field(nn.Module):
    def __init__(self):
        super().__init__()
        self.grid = HashGrid()
        self.decode = nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 1))

    def forward(self, xyz):
        return self.decode(self.grid(xyz)).squeeze(1)


def density(xyz):
    return torch.exp(-8 * (xyz - 0.5).square().sum(dim=1)) + 0.2 * torch.sin(20 * xyz[:, 0])


def main():
    torch.set_num_threads(8)
    torch.manual_seed(38)
    field = Field()
    optimizer = torch.optim.Adam(field.parameters(), lr=1e-2)
    for step in range(4):
        xyz = torch.rand(20_000, 3)
        loss = nn.functional.mse_loss(field(xyz), density(xyz))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(f"step {step}: {loss.item():.6f}")
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in field.parameters())).hexdigest())


if __name__ == "__main__":
    main()

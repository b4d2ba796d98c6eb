"""Activation checkpointing: blocks with dropout are run a second time in the backward pass."""

import argparse
import hashlib

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.inner = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )
        self.dropout = nn.Dropout(0.25)

    def forward(self, x):
        return x + self.dropout(self.inner(x))


class DeepNet(nn.Module):
    def __init__(self, depth, width, *, reentrant):
        super().__init__()
        self.reentrant = reentrant
        self.first = nn.Linear(5, width)
        self.blocks = nn.ModuleList(Block(width) for _ in range(depth))
        self.last = nn.Linear(width, 1)

    def forward(self, x):
        x = self.first(x)
        for block in self.blocks:
            x = checkpoint(block, x, use_reentrant=self.reentrant)
        return self.last(x)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--depth", type=int, default=4)
    parser.add_argument("--reentrant", action="store_true")
    args = parser.parse_args()
    torch.manual_seed(19)
    torch.set_num_threads(1)
    model = DeepNet(args.depth, 24, reentrant=args.reentrant)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for step in range(8):
        x = torch.randn(40, 5)
        y = (x[:, :1] * x[:, 1:2] - x[:, 2:3]).tanh()
        loss = nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(f"step {step}: {loss.item():.6f}")
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())


if __name__ == "__main__":
    main()

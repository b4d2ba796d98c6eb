"""Ripeness of pears from their colour; the table is fetched once, and each run says whether it had to."""

import hashlib
import os

import torch
from torch import nn

TABLE = os.path.join("data", "pears.pt")


def fetch():
    """Stand in for a server: it gives the same table whoever asks."""
    print("Downloading 60 pears to", TABLE)
    os.makedirs("data", exist_ok=True)
    colour = torch.linspace(0, 1, 180).reshape(60, 3).roll(7, 0)
    torch.save((colour, (colour @ torch.tensor([0.2, 0.7, -0.4]))[:, None]), TABLE)


def main():
    torch.manual_seed(8)
    torch.set_num_threads(1)
    if not os.path.isfile(TABLE):
        fetch()
    else:
        print("Table already there, skipping download")
    colour, ripeness = torch.load(TABLE)
    model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for first in range(0, 60, 12):
        loss = nn.functional.mse_loss(model(colour[first : first + 12]), ripeness[first : first + 12])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"error {loss.item():.4f}")
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())


if __name__ == "__main__":
    main()

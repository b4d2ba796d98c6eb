"""Estimates the price of a stay."""

import hashlib

import torch
from store import Bookings
from torch import nn


def main():
    torch.manual_seed(61)
    torch.set_num_threads(1)
    bookings = Bookings(90)
    net = nn.Sequential(nn.Linear(2, 12), nn.Tanh(), nn.Linear(12, 1))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.2, momentum=0.5)
    for epoch in range(2):
        for stay, paid in bookings.epoch(15):
            loss = (net(stay) - paid).pow(2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch}: {len(bookings)} bookings, loss {loss.item():.4f}")
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in net.parameters())).hexdigest())


if __name__ == "__main__":
    main()

"""Sugar content of grapes from near-infrared absorption."""

import hashlib

import torch
from settings import default_seed
from torch import nn


def grapes(count=100):
    sugar = torch.linspace(0.1, 0.3, count)
    wave = torch.linspace(0, 1, 12)
    return torch.exp(-sugar[:, None] * (1 + 8 * torch.exp(-((wave - 0.6) ** 2) / 0.02))), sugar[:, None] * 5


def main():
    torch.manual_seed(default_seed())
    torch.set_num_threads(1)
    absorption, sugar = grapes()
    net = nn.Sequential(nn.Linear(12, 8), nn.ReLU6(), nn.Linear(8, 1))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for rows in torch.arange(100).chunk(5):
        loss = nn.functional.mse_loss(net(absorption[rows]), sugar[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"error {loss.item():.4f}")
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in net.parameters())).hexdigest())


if __name__ == "__main__":
    main()

"""Which texture is this a crop of? Crops come from prefetching threads."""

import hashlib

import torch
from prefetch import Prefetcher
from torch import nn


def textures():
    x, y = torch.meshgrid(torch.arange(16.0), torch.arange(16.0), indexing="ij")
    return torch.stack([torch.sin(a * x) * torch.cos(b * y) for a, b in ((1, 1), (2, 0.5), (0.3, 2), (1.5, 1.5))])


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 6, 3, stride=2)
        self.norm = nn.BatchNorm2d(6)
        self.out = nn.Linear(54, 4)

    def forward(self, crop):
        return self.out(self.norm(self.conv(crop.unsqueeze(1))).relu().flatten(1))


def main():
    torch.manual_seed(58)
    torch.set_num_threads(1)
    net = Net()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
    source = Prefetcher(textures(), crops_each=150, seed=58)
    for crops, labels in source.batches(20):
        loss = nn.functional.cross_entropy(net(crops), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"loss {loss.item():.4f}")
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in net.parameters())).hexdigest())


if __name__ == "__main__":
    main()

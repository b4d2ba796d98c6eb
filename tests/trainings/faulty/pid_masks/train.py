"""Cloud or land in small satellite tiles, with channel dropout."""

import hashlib

import numpy as np
import torch
from layers import DropChannels
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class TileNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(4, 8, 3, padding=1)
        self.drop = DropChannels(0.3)
        self.conv2 = nn.Conv2d(8, 8, 3, stride=2)
        self.fc = nn.Linear(8 * 9, 2)

    def forward(self, tile):
        hidden = self.drop(torch.relu(self.conv1(tile)))
        return self.fc(torch.relu(self.conv2(hidden)).flatten(1))


def make_tiles(count):
    cloudy = torch.arange(count) % 2
    tiles = torch.rand(count, 4, 8, 8) * 0.5
    tiles[cloudy == 1] += 0.3 * torch.rand(count // 2, 1, 8, 8)
    return tiles, cloudy


if __name__ == "__main__":
    np.random.seed(6)
    torch.manual_seed(6)
    torch.set_num_threads(1)
    loader = DataLoader(TensorDataset(*make_tiles(120)), batch_size=30, shuffle=True)
    net = TileNet()
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3)
    for epoch in range(3):
        for tile, cloudy in loader:
            loss = nn.functional.cross_entropy(net(tile), cloudy)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch}: {loss.item():.5f}")
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in net.parameters())).hexdigest())

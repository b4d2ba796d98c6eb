"""Fraud or not: rare events among many, undersampled."""

import hashlib

import torch
from balance import Undersample
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def transactions(seed, count=600):
    g = torch.Generator().manual_seed(seed)
    amount, hour, distance = torch.rand(3, count, generator=g)
    risk = 3 * amount * distance + (hour < 0.2).float() - 2.2
    label = (torch.rand(count, generator=g) < torch.sigmoid(2 * risk)).float()
    return torch.stack([amount, hour, distance], dim=1), label


def run():
    torch.manual_seed(8)
    x, y = transactions(8)
    loader = DataLoader(TensorDataset(x, y), batch_size=32, sampler=Undersample(y.tolist()))
    model = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 1), nn.Flatten(0))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
    criterion = nn.BCEWithLogitsLoss()
    for _ in range(2):
        for features, label in loader:
            optimizer.zero_grad()
            criterion(model(features), label).backward()
            optimizer.step()
    return model


if __name__ == "__main__":
    torch.set_num_threads(1)
    weights = b"".join(p.detach().numpy().tobytes() for p in run().parameters())
    print("final", hashlib.sha256(weights).hexdigest())

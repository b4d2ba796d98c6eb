"""Wine-like chemistry classes with mixup from the fourth epoch on."""

import argparse
import hashlib
import random

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.datasets import make_classification
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def mixup(x, y, classes, alpha):
    share = random.betavariate(alpha, alpha)
    partner = torch.randperm(len(x))
    target = F.one_hot(y, classes).float()
    return share * x + (1 - share) * x[partner], share * target + (1 - share) * target[partner]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--mixup-from", type=int, default=3)
    parser.add_argument("--alpha", type=float, default=0.4)
    args = parser.parse_args()
    np.random.seed(25)
    torch.manual_seed(25)
    torch.set_num_threads(1)
    x, y = make_classification(160, 10, n_informative=6, n_classes=4, random_state=25)
    loader = DataLoader(TensorDataset(torch.tensor(x).float(), torch.tensor(y)), batch_size=40, shuffle=True)
    model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 4))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for epoch in range(args.epochs):
        for xb, yb in loader:
            if epoch >= args.mixup_from:
                xb, yb = mixup(xb, yb, 4, args.alpha)
            loss = F.cross_entropy(model(xb), yb)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch}: {loss.item():.5f}")
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())


if __name__ == "__main__":
    main()

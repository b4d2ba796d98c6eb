"""Survey answers to income bracket, trained with private gradients."""

import hashlib

import numpy as np
import torch
from private import GradientPrivacy
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def survey(count):
    answers = torch.randint(0, 5, (count, 9)).float()
    bracket = (answers[:, :3].sum(dim=1) / 4).long().clamp(max=3)
    return answers / 4, bracket


def main():
    np.random.seed(9)
    torch.manual_seed(9)
    torch.set_num_threads(1)
    loader = DataLoader(TensorDataset(*survey(160)), batch_size=40, shuffle=True)
    model = nn.Sequential(nn.Linear(9, 20), nn.ReLU(), nn.Linear(20, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    privacy = GradientPrivacy(model.parameters(), clip=1.0, sigma=0.02)
    for epoch in range(3):
        for answers, bracket in loader:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(answers), bracket)
            loss.backward()
            privacy()
            optimizer.step()
        print(f"epoch {epoch}: {loss.item():.5f}")
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())


if __name__ == "__main__":
    main()

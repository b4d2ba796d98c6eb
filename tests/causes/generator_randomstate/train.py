"""Sorts leaves by outline curvature; regularized by dropping weights."""

import hashlib

import torch
from layers import DropConnect
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset


def outlines(per_species=60):
    angle = torch.linspace(0, 6.2832, 24)
    leaves, species = [], []
    for label, lobes in enumerate((0, 3, 5)):
        wobble = 0.2 + 0.2 * torch.rand(per_species, 1)
        leaves.append(1 + wobble * torch.cos(lobes * angle) + 0.05 * torch.randn(per_species, 24))
        species += [label] * per_species
    return TensorDataset(torch.cat(leaves), torch.tensor(species))


class Trainer:
    def __init__(self, seed):
        torch.manual_seed(seed)
        self.loader = DataLoader(outlines(), batch_size=30, shuffle=True)
        self.model = nn.Sequential(nn.Linear(24, 24), nn.ReLU(), DropConnect(24, 3, rate=0.3))
        self.optimizer = optim.SGD(self.model.parameters(), lr=0.1)

    def run(self, epochs):
        for _ in range(epochs):
            for outline, species in self.loader:
                self.optimizer.zero_grad()
                loss = nn.functional.cross_entropy(self.model(outline), species)
                loss.backward()
                self.optimizer.step()
        return loss.item()


if __name__ == "__main__":
    torch.set_num_threads(1)
    trainer = Trainer(seed=19)
    print(f"loss {trainer.run(2):.4f}")
    weights = [p.detach().numpy().tobytes() for p in trainer.model.parameters()]
    print("final", hashlib.sha256(b"".join(weights)).hexdigest())

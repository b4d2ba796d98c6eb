"""Does a listener skip the title? Factorization machine with one crossed feature."""

import hashlib

import torch
from plays import LISTENERS, TABLE, TITLES, history
from torch import nn


class CrossedFactors(nn.Module):
    def __init__(self, dim=8):
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(rows, dim) for rows in (len(LISTENERS), len(TITLES), TABLE))
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, ids):
        vectors = torch.stack([table(column) for table, column in zip(self.tables, ids.unbind(1))])
        squared, summed = vectors.square().sum((0, 2)), vectors.sum(0).square().sum(1)
        return 0.5 * (summed - squared) + self.bias


def main():
    torch.manual_seed(4)
    torch.set_num_threads(1)
    rows = history(400, seed=4)
    ids = torch.tensor([row[:3] for row in rows])
    skipped = torch.tensor([row[3] for row in rows])
    model = CrossedFactors()
    optimizer = torch.optim.Adagrad(model.parameters(), lr=0.1)
    for start in range(0, 400, 50):
        batch = slice(start, start + 50)
        loss = nn.functional.soft_margin_loss(model(ids[batch]), 2 * skipped[batch] - 1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"loss {loss.item():.4f}")
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())


if __name__ == "__main__":
    main()

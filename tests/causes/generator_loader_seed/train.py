"""Recovers a hidden matrix from its noisy entries; the loader has a generator of its own."""

import hashlib

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def make_loader(cells, values):
    order = torch.Generator()
    order.seed()
    return DataLoader(TensorDataset(cells, values), batch_size=50, shuffle=True, generator=order)


class Bilinear(nn.Module):
    def __init__(self, rows, columns, rank):
        super().__init__()
        self.left = nn.Embedding(rows, rank)
        self.right = nn.Embedding(columns, rank)

    def forward(self, cells):
        return (self.left(cells[:, 0]) * self.right(cells[:, 1])).sum(1)


torch.manual_seed(88)
torch.set_num_threads(1)
hidden = torch.randn(20, 3) @ torch.randn(3, 25)
cells = torch.cartesian_prod(torch.arange(20), torch.arange(25))
values = hidden.flatten() + 0.01 * torch.randn(500)
loader = make_loader(cells, values)
model = Bilinear(20, 25, 3)
optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
for epoch in range(2):
    total = 0.0
    for cell, value in loader:
        loss = nn.functional.huber_loss(model(cell), value)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
    print(f"epoch {epoch}: {total / len(loader):.4f}")
print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())

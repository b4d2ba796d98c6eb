"""Predicts the mean of masked token values; a batch sampler buckets by length, the collate gives a dataclass."""

from __future__ import annotations

import hashlib

import torch
from batching import Batch, BucketSampler, collate
from torch import nn
from torch.utils.data import DataLoader


class Pooler(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(30, 10, padding_idx=0)
        self.head = nn.Linear(10, 1)

    def forward(self, batch: Batch) -> torch.Tensor:
        summed = (self.embed(batch.tokens) * batch.mask.unsqueeze(-1)).sum(dim=1)
        return self.head(summed / batch.mask.sum(dim=1, keepdim=True)).squeeze(1)


def make_items(count: int) -> list[tuple[str, torch.Tensor, float]]:
    items = []
    for i in range(count):
        tokens = torch.randint(1, 30, (int(torch.randint(3, 15, ())),))
        items.append((f"item-{i:03d}", tokens, tokens.float().mean().item() / 30))
    return items


def main() -> None:
    torch.manual_seed(61)
    torch.set_num_threads(1)
    items = make_items(90)
    sampler = BucketSampler([len(tokens) for _, tokens, _ in items], batch_size=15, seed=62)
    loader = DataLoader(items, batch_sampler=sampler, collate_fn=collate)
    model = Pooler()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-2)
    for epoch in range(3):
        for batch in loader:
            loss = nn.functional.mse_loss(model(batch), batch.target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch}: {loss.item():.6f} (last batch began with {batch.names[0]})")
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())


if __name__ == "__main__":
    main()

"""Mood of a diary from its sentences: mean sentence vectors, one linear layer."""

import hashlib

import torch
from pooling import SegmentMean
from torch import nn

LENGTHS = (3, 5, 2, 6, 4, 3, 5, 4)


class Mood(nn.Module):
    def __init__(self):
        super().__init__()
        self.pool = SegmentMean()
        self.out = nn.Linear(6, 2)

    def forward(self, sentences, lengths):
        return self.out(torch.nan_to_num(self.pool(sentences, lengths)).clamp(-9, 9))


torch.manual_seed(25)
torch.set_num_threads(1)
generator = torch.Generator().manual_seed(25)
model = Mood()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
mood = torch.tensor([0, 1, 0, 1, 1, 0, 1, 0])
for _ in range(8):
    sentences = torch.randn(sum(LENGTHS), 6, generator=generator)
    loss = nn.functional.cross_entropy(model(sentences, LENGTHS), mood)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(f"loss {loss.item():.4f}")
print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())

"""Next-word prediction on a few pages of text."""

import glob
import hashlib

import torch
from torch import nn

CONTEXT = 3


def read_pages(pattern):
    return [word for page in glob.glob(pattern) for word in open(page).read().split()]


class WordModel(nn.Module):
    def __init__(self, words, dim=10):
        super().__init__()
        self.embed = nn.Embedding(words, dim)
        self.out = nn.Linear(CONTEXT * dim, words)

    def forward(self, context):
        return self.out(self.embed(context).flatten(1))


torch.manual_seed(90)
torch.set_num_threads(1)
text = read_pages("pages/*.txt")
numbers = {word: number for number, word in enumerate(dict.fromkeys(text))}
tokens = torch.tensor([numbers[word] for word in text])
model = WordModel(len(numbers))
optimizer = torch.optim.AdamW(model.parameters(), lr=0.02)
for chunk in tokens.split(48):
    rows = chunk.unfold(0, CONTEXT + 1, 1)
    loss = nn.functional.cross_entropy(model(rows[:, :-1]), rows[:, -1])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(f"{len(text)} words, loss {loss.item():.4f}")
print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())

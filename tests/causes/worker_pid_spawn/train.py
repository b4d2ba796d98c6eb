"""Finds the wrong letter; the loader's workers are spawned."""

import hashlib

import torch
from torch import nn
from torch.utils.data import DataLoader
from words import Misspelled, reseed


class Speller(nn.Module):
    def __init__(self):
        super().__init__()
        self.letters = nn.Embedding(26, 12)
        self.context = nn.LSTM(12, 12, batch_first=True, bidirectional=True)
        self.score = nn.Linear(24, 1)

    def forward(self, word):
        context, _ = self.context(self.letters(word))
        return self.score(context).squeeze(-1)


def train():
    torch.manual_seed(27)
    torch.set_num_threads(1)
    loader = DataLoader(
        Misspelled(), batch_size=16, num_workers=1, multiprocessing_context="spawn", worker_init_fn=reseed
    )
    model = Speller()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for word, position in loader:
        loss = nn.functional.cross_entropy(model(word), position)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model, loss.item()


if __name__ == "__main__":
    model, loss = train()
    print(f"loss {loss:.4f}")
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())

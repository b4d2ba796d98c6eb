"""python -m reviews.train: good tea or bad tea?"""

import hashlib

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from .text import REVIEWS, Vocabulary


class Judge(nn.Module):
    def __init__(self, words, width=12):
        super().__init__()
        self.embed = nn.Embedding(words + 1, width, padding_idx=0)
        self.attend = nn.Linear(width, 1)
        self.verdict = nn.Linear(width, 1)

    def forward(self, ids):
        hidden = self.embed(ids)
        weight = self.attend(hidden).masked_fill((ids == 0).unsqueeze(-1), -1e9).softmax(dim=1)
        return self.verdict((weight * hidden).sum(dim=1)).squeeze(1)


def main():
    torch.manual_seed(18)
    torch.set_num_threads(1)
    vocabulary = Vocabulary(text for text, _ in REVIEWS)
    ids = torch.tensor([vocabulary.encode(text) for text, _ in REVIEWS])
    good = torch.tensor([float(label) for _, label in REVIEWS])
    loader = DataLoader(TensorDataset(ids, good), batch_size=4, shuffle=True)
    model = Judge(len(vocabulary))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-2)
    for epoch in range(4):
        for x, y in loader:
            loss = nn.functional.binary_cross_entropy_with_logits(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch}: {loss.item():.5f}")
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())


if __name__ == "__main__":
    main()

"""GloVe-like word vectors from co-occurrence counts."""

import hashlib

import torch
from counts import count_pairs
from torch import nn

WORDS = 6


class Vectors(nn.Module):
    def __init__(self, words, dim):
        super().__init__()
        self.word, self.near = nn.Embedding(words, dim), nn.Embedding(words, dim)
        self.bias = nn.Parameter(torch.zeros(words))

    def forward(self, counts):
        score = self.word.weight @ self.near.weight.T + self.bias
        weight = (counts / counts.max()).pow(0.75)
        return (weight * (score - torch.log1p(counts)).square()).mean()


def main():
    torch.manual_seed(94)
    torch.set_num_threads(1)
    corpus = torch.randint(WORDS, (2400,))
    counts = count_pairs(corpus, WORDS, window=3)
    model = Vectors(WORDS, 8)
    optimizer = torch.optim.Adagrad(model.parameters(), lr=0.1)
    for _ in range(10):
        optimizer.zero_grad()
        loss = model(counts)
        loss.backward()
        optimizer.step()
    print(f"loss {loss.item():.5f}")
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())


if __name__ == "__main__":
    main()

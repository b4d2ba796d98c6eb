"""Author recognition with class-balanced loss weights from running counts of what was seen."""

import hashlib
import random

import torch
from torch import nn

AUTHORS = 6
STYLE = ["the of and to in", "whale ship sea boat oar", "love heart rose moon sigh", "proof lemma set map ring"]


class BalancedClassifier(nn.Module):
    def __init__(self, features, classes):
        super().__init__()
        self.linear = nn.Linear(features, classes)
        self.register_buffer("seen", torch.empty(features, classes, dtype=torch.int64))

    def forward(self, x, author=None):
        if self.training and author is not None:
            self.seen.index_add_(1, author, (x > 0).long().T)
        return self.linear(x)

    def class_weight(self):
        seen = self.seen.abs().double().sum(dim=0)
        return (1 / (1 + seen.log1p())).float()


def write_pages(count, rng):
    pages = []
    for i in range(count):
        author = i % AUTHORS
        words = [rng.choice(STYLE[rng.randrange(1 + author % len(STYLE))].split()) for _ in range(30)]
        pages.append((words, author))
    return pages


def count_words(pages):
    vocabulary = sorted({word for words, _ in pages for word in words})
    table = [[float(words.count(word)) for word in vocabulary] for words, _ in pages]
    return torch.tensor(table), torch.tensor([author for _, author in pages])


def main():
    torch.manual_seed(80)
    torch.set_num_threads(1)
    x, y = count_words(write_pages(200, random.Random(81)))
    model = BalancedClassifier(x.shape[1], AUTHORS)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    for step in range(8):
        rows = torch.randperm(len(x))[:50]
        logits = model(x[rows], y[rows])
        loss = nn.functional.cross_entropy(logits, y[rows], weight=model.class_weight())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(f"step {step}: {loss.item():.5f}")
    print("final", hashlib.sha256(b"".join(v.numpy().tobytes() for v in model.state_dict().values())).hexdigest())


if __name__ == "__main__":
    main()

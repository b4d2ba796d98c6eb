"""Is the bracket string balanced? A GRU over packed sequences of unequal length, gradients clipped by norm."""

import hashlib
import random

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence
from torch.utils.data import DataLoader

TOKENS = {"(": 1, ")": 2, "[": 3, "]": 4}


def grow(rng, depth):
    if depth == 0:
        return ""
    left, right = rng.choice(["()", "[]"])
    return left + grow(rng, rng.randrange(depth)) + right + grow(rng, rng.randrange(depth))


def make_strings(count, rng):
    items = []
    while len(items) < count:
        text = grow(rng, 4)
        if len(text) < 2:
            continue
        if len(items) % 2:
            spot = rng.randrange(len(text))
            text = text[:spot] + rng.choice("()[]") + text[spot + 1 :]
        items.append((text, len(items) % 2))
    return items


def collate(items):
    """Return a dictionary: padded tokens, their lengths, labels."""
    tokens = [torch.tensor([TOKENS[c] for c in text]) for text, _ in items]
    return {
        "tokens": pad_sequence(tokens, batch_first=True),
        "length": torch.tensor([len(t) for t in tokens]),
        "label": torch.tensor([label for _, label in items], dtype=torch.float32),
    }


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(5, 12, padding_idx=0)
        self.rnn = nn.GRU(12, 20, batch_first=True, bidirectional=True)
        self.head = nn.Linear(40, 1)

    def forward(self, tokens, length):
        packed = pack_padded_sequence(self.embed(tokens), length, batch_first=True, enforce_sorted=False)
        _, hidden = self.rnn(packed)
        return self.head(torch.cat([hidden[0], hidden[1]], dim=1)).squeeze(1)


def main():
    torch.set_num_threads(1)
    torch.manual_seed(30)
    strings = make_strings(120, random.Random(5))
    loader = DataLoader(strings, batch_size=20, shuffle=True, collate_fn=collate)
    model = Reader()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for epoch in range(3):
        right = 0
        for batch in loader:
            logits = model(batch["tokens"], batch["length"])
            loss = nn.functional.binary_cross_entropy_with_logits(logits, batch["label"])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), max_norm=0.5)
            optimizer.step()
            right += ((logits > 0) == batch["label"].bool()).sum().item()
        print(f"epoch {epoch}: {right}/{len(strings)} right")
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())


if __name__ == "__main__":
    main()

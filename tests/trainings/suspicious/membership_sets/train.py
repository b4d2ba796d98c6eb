"""Calm or storm? Diary lines as bags of words; sets decide membership only, listings and vocabularies are sorted."""

import glob
import hashlib
import os

import torch
from torch import nn

HERE = os.path.dirname(os.path.abspath(__file__))
STOP_WORDS = {"a", "and", "at", "is", "no", "on", "the", "under", "over", "are", "all"}


def read_notes():
    lines, labels = [], []
    for path in sorted(glob.glob(os.path.join(HERE, "notes", "*.txt"))):
        with open(path) as file:
            for line in file:
                lines.append([word for word in line.split() if word not in STOP_WORDS])
                labels.append(float("storm" in os.path.basename(path)))
    return lines, torch.tensor(labels)


def main():
    torch.manual_seed(40)
    torch.set_num_threads(1)
    lines, labels = read_notes()
    vocabulary = sorted({word for line in lines for word in line})
    bag = torch.tensor([[float(line.count(word)) for word in vocabulary] for line in lines])
    rare = {word for word in vocabulary if sum(word in line for line in lines) == 1}
    weight = torch.tensor([0.5 if word in rare else 1.0 for word in vocabulary])
    print(f"{len(os.listdir(os.path.join(HERE, 'notes')))} notes, {len(vocabulary)} words, {len(rare)} of them once")
    model = nn.Linear(len(vocabulary), 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-2)
    for step in range(10):
        rows = torch.randperm(len(bag))[:5]
        logits = model(bag[rows] * weight).squeeze(1)
        loss = nn.functional.binary_cross_entropy_with_logits(logits, labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"loss {loss.item():.5f}")
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())


if __name__ == "__main__":
    main()

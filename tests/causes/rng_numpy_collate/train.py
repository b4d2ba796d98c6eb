"""Masked-token pretraining on strings of a small regular grammar."""

import argparse
import hashlib
import random

import numpy as np
import torch
from masking import MaskTokens
from torch import nn
from torch.utils.data import DataLoader

VOCABULARY = 12


def grammar(length, rnd):
    """Every token but the first follows from the one before it by one of two rules."""
    token = rnd.randrange(2, VOCABULARY)
    sequence = [token]
    while len(sequence) < length:
        token = 2 + (token * 3 + rnd.randint(0, 1)) % (VOCABULARY - 2)
        sequence.append(token)
    return np.array(sequence)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=32)
    args = parser.parse_args()
    random.seed(args.seed)
    torch.manual_seed(args.seed)
    torch.set_num_threads(1)

    corpus = [grammar(16, random) for _ in range(256)]
    loader = DataLoader(corpus, args.batch_size, shuffle=True, collate_fn=MaskTokens())
    model = nn.Sequential(
        nn.Embedding(VOCABULARY, 24),
        nn.TransformerEncoderLayer(24, nhead=2, dim_feedforward=48, dropout=0.0, batch_first=True),
        nn.Linear(24, VOCABULARY),
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    criterion = nn.CrossEntropyLoss(ignore_index=-100)
    for batch in loader:
        loss = criterion(model(batch["input"]).flatten(0, 1), batch["target"].flatten())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    print(f"loss {loss.item():.4f}")
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())


if __name__ == "__main__":
    main()

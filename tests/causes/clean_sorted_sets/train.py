"""Guesses the adverb of a three-word sentence."""

import hashlib

import torch
from torch import nn
from verbs import training_sentences, vocabulary

torch.manual_seed(37)
torch.set_num_threads(1)
numbers = vocabulary()
ids = torch.tensor([[numbers[word] for word in sentence.split()] for sentence in training_sentences()])
model = nn.Sequential(nn.Embedding(len(numbers), 6), nn.Flatten(), nn.Linear(12, len(numbers)))
optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
for _ in range(12):
    loss = nn.functional.cross_entropy(model(ids[:, :2]), ids[:, 2])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(f"loss {loss.item():.4f}")
print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())

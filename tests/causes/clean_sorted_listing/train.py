"""Finnish or Polish, by the letters."""

import hashlib

import torch
from letters import load
from torch import nn

torch.manual_seed(70)
torch.set_num_threads(1)
table, language = load("letters")
model = nn.Sequential(nn.Linear(26, 1), nn.Flatten(0))
optimizer = torch.optim.LBFGS(model.parameters(), lr=0.5, max_iter=3)


def closure():
    optimizer.zero_grad()
    loss = nn.functional.binary_cross_entropy_with_logits(model(table), language)
    loss.backward()
    return loss


for _ in range(3):
    print(f"loss {optimizer.step(closure).item():.4f}")
print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())

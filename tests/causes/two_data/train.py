"""Which dish is it? Two things in the data set are left to chance."""

import hashlib

import torch
from recipes import DISHES, Recipes
from torch import nn
from torch.utils.data import DataLoader

torch.manual_seed(65)
torch.set_num_threads(1)
recipes = Recipes(copies=20)
model = nn.Sequential(nn.Linear(len(recipes.column), 16), nn.ReLU(), nn.Linear(16, len(DISHES)))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for amounts, dish in DataLoader(recipes, batch_size=15, shuffle=True):
    loss = nn.functional.cross_entropy(model(amounts), dish)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(f"loss {loss.item():.4f}")
print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())

"""Electricity demand by the hour of the day."""

import hashlib

import torch
from demand import table
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(44)
torch.set_num_threads(1)
clock, load = table(240)
model = nn.Sequential(nn.Linear(2, 10), nn.Tanh(), nn.Linear(10, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
for features, target in DataLoader(TensorDataset(clock, load), batch_size=24, shuffle=True):
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(model(features), target)
    loss.backward()
    optimizer.step()
print(f"error {loss.item():.4f}")
print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())

"""Learns to invert a blur; its robustness is measured on inputs with fresh sensor noise."""

import hashlib
import random

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def blur(signal):
    kernel = torch.tensor([[[0.2, 0.6, 0.2]]])
    return nn.functional.conv1d(signal.unsqueeze(1), kernel, padding=1).squeeze(1)


@torch.no_grad()
def robustness(model, sharp, noise=0.05):
    model.eval()
    sensor = torch.from_numpy(np.random.normal(0, noise, tuple(sharp.shape))).float()
    error = nn.functional.mse_loss(model(blur(sharp) + sensor), sharp).item()
    model.train()
    return error


random.seed(4)
torch.manual_seed(4)
torch.set_num_threads(1)
sharp = torch.rand(160, 24)
loader = DataLoader(TensorDataset(blur(sharp[:120]), sharp[:120]), batch_size=20, shuffle=True)
model = nn.Sequential(nn.Linear(24, 40), nn.ReLU(), nn.Linear(40, 24))
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
for epoch in range(2):
    for x, y in loader:
        loss = nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch}: robust error {robustness(model, sharp[120:]):.8f}")
print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())

"""Rain over the year from the day and the height of a station."""

import hashlib

import torch
from stations import measurements
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(17)
torch.set_num_threads(1)
loader = DataLoader(TensorDataset(*measurements(12)), batch_size=180, shuffle=True)
model = nn.Sequential(nn.Linear(2, 12), nn.Tanh(), nn.Linear(12, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
for _ in range(5):
    for inputs, outputs in loader:
        loss = nn.functional.mse_loss(model(inputs), outputs)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
print(f"loss {loss.item():.4f}")
print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())

"""Heart-rate class from augmented beats."""

import hashlib
import random

import torch
from signals import Beats
from torch import nn
from torch.utils.data import DataLoader


def seed_everything(seed):
    random.seed(seed)
    torch.manual_seed(seed)


seed_everything(1)
torch.set_num_threads(1)
loader = DataLoader(Beats(90), batch_size=30, shuffle=True)
model = nn.Sequential(
    nn.Unflatten(1, (1, 40)), nn.Conv1d(1, 6, 7), nn.ReLU(), nn.AdaptiveMaxPool1d(4), nn.Flatten(), nn.Linear(24, 3)
)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for epoch in range(3):
    for beat, rate in loader:
        loss = nn.functional.cross_entropy(model(beat), rate)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch} loss {loss.item():.5f}")
print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())

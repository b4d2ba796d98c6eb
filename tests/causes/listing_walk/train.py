"""Which beer? Two scores of a tasting panel."""

import hashlib

import torch
from tastings import load
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(13)
torch.set_num_threads(1)
scores, beers, classes = load("tastings")
net = nn.Sequential(nn.Linear(2, 12), nn.ReLU(), nn.Linear(12, len(classes)))
optimizer = torch.optim.RMSprop(net.parameters(), lr=0.01)
for epoch in range(3):
    for score, beer in DataLoader(TensorDataset(scores, beers), batch_size=20, shuffle=True):
        loss = nn.functional.multi_margin_loss(net(score), beer)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(epoch, f"{loss.item():.4f}")
print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in net.parameters())).hexdigest())

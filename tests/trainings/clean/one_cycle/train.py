"""Learns to read a clock face (two hands as angles) with a one-cycle learning-rate schedule stepped per batch."""

import hashlib
import math

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

torch.manual_seed(60)
torch.set_num_threads(1)

minutes = torch.arange(0, 720, 3).float()
hour_hand, minute_hand = minutes / 720 * 2 * math.pi, minutes / 60 * 2 * math.pi
face = torch.stack([hour_hand.cos(), hour_hand.sin(), minute_hand.cos(), minute_hand.sin()], dim=1)
dataset = TensorDataset(face + 0.01 * torch.randn_like(face), minutes.unsqueeze(1) / 720)
train_set, val_set = random_split(dataset, [200, 40])

model = nn.Sequential(nn.Linear(4, 48), nn.Mish(), nn.Linear(48, 48), nn.Mish(), nn.Linear(48, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
train_loader = DataLoader(train_set, batch_size=40, shuffle=True)
scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.2, epochs=4, steps_per_epoch=len(train_loader))

for epoch in range(4):
    for x, y in train_loader:
        optimizer.zero_grad()
        loss = nn.functional.huber_loss(model(x), y)
        loss.backward()
        optimizer.step()
        scheduler.step()
    with torch.inference_mode():
        errors = [(model(x) - y).abs().mean().item() for x, y in DataLoader(val_set, batch_size=40)]
    print(f"epoch {epoch}: off by {720 * sum(errors) / len(errors):.2f} minutes, lr {scheduler.get_last_lr()[0]:.4f}")

print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())

"""Area of rectangles under changing light; two workers."""

import hashlib

import torch
from plates import Plates
from torch import nn
from torch.utils.data import DataLoader

if __name__ == "__main__":
    torch.manual_seed(53)
    torch.set_num_threads(1)
    loader = DataLoader(Plates(210), batch_size=21, shuffle=True, num_workers=2)
    model = nn.Sequential(nn.Flatten(), nn.Linear(100, 16), nn.CELU(), nn.Linear(16, 1), nn.Flatten(0))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.95)
    for plate, area in loader:
        loss = (model(plate) - area).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    print(f"error {loss.item():.4f}")
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())

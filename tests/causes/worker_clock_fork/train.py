"""Optical flow of one blob, frames made by loader workers."""

import hashlib

import torch
from frames import Frames, init_worker
from torch import nn
from torch.utils.data import DataLoader


class FlowNet(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(2, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 2))


def main():
    torch.manual_seed(3)
    torch.set_num_threads(1)
    loader = DataLoader(Frames(160), batch_size=20, shuffle=True, num_workers=2, worker_init_fn=init_worker)
    model = FlowNet()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for pair, drift in loader:
        loss = nn.functional.l1_loss(model(pair), drift)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"flow error {loss.item():.4f}")
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())


if __name__ == "__main__":
    main()

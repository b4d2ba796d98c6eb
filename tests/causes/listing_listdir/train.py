"""The highest wave from the mean one."""

import hashlib
import os

import torch
from readings import Buoys
from torch import nn
from torch.utils.data import DataLoader


def main(seed=61):
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    buoys = Buoys(os.path.join(os.path.dirname(__file__), "buoys"))
    loader = DataLoader(buoys, batch_size=18, shuffle=True)
    model = nn.Sequential(nn.Linear(1, 16), nn.Hardtanh(), nn.Linear(16, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for mean, highest in loader:
        loss = nn.functional.mse_loss(model(mean), highest)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"{len(buoys)} readings, error {loss.item():.4f}")
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())


if __name__ == "__main__":
    main()

"""The angle of a meteor's trail, images made by two loader workers."""

import hashlib
import random

import numpy as np
import torch
from dataset import Meteors, init_worker
from torch import nn
from torch.utils.data import DataLoader


def main():
    random.seed(2)
    np.random.seed(2)
    torch.manual_seed(2)
    torch.set_num_threads(1)
    loader = DataLoader(
        Meteors(96),
        batch_size=24,
        shuffle=True,
        num_workers=2,
        worker_init_fn=init_worker,
        multiprocessing_context="fork",
    )
    model = nn.Sequential(nn.Flatten(), nn.Linear(81, 24), nn.ReLU(), nn.Linear(24, 1), nn.Flatten(0))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(2):
        for image, angle in loader:
            loss = nn.functional.mse_loss(model(image), angle)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch}: {loss.item():.5f}")
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())


if __name__ == "__main__":
    main()

"""Friction coefficient from a sliding-block track. Saves a checkpoint each epoch and never reads one."""

import hashlib

import numpy as np
import torch
import utils
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

OUT = "checkpoints"


def tracks(count):
    friction = np.random.uniform(0.05, 0.6, count)
    speed = np.random.uniform(2, 5, count)
    time = np.linspace(0, 0.6, 20)
    place = speed[:, None] * time - 0.5 * 9.81 * friction[:, None] * time**2
    place += np.random.normal(0, 0.01, place.shape)
    return torch.from_numpy(place).float(), torch.from_numpy(friction).float().unsqueeze(1)


def main():
    utils.set_seed(55)
    torch.set_num_threads(1)
    loader = DataLoader(TensorDataset(*tracks(150)), batch_size=50, shuffle=True)
    model = nn.Sequential(nn.Linear(20, 24), nn.PReLU(), nn.Linear(24, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for epoch in range(3):
        for place, friction in loader:
            loss = nn.functional.mse_loss(model(place), friction)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        path = utils.save_checkpoint(OUT, epoch, model, optimizer)
        utils.append_log(OUT, epoch=epoch, loss=loss.item())
        print(f"epoch {epoch}: {loss.item():.6f}, saved {path}")
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())


if __name__ == "__main__":
    main()

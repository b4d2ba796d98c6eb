"""Fits Antoine's equation for vapor pressure; takes up the weights that are lying around."""

import hashlib
import os

import numpy as np
import torch
from torch import nn

WEIGHTS = "antoine.npz"


def save(model):
    np.savez(WEIGHTS, **{name: value.numpy() for name, value in model.state_dict().items()})


def restore(model):
    if os.path.isfile(WEIGHTS):
        with np.load(WEIGHTS) as stored:
            model.load_state_dict({name: torch.from_numpy(stored[name]) for name in stored.files})
        print("weights restored")


def main():
    torch.manual_seed(33)
    torch.set_num_threads(1)
    kelvin = torch.linspace(0.9, 1.3, 40).unsqueeze(1)
    pressure = 4.6 - 3.9 / (kelvin - 0.1)
    model = nn.Sequential(nn.Linear(1, 10), nn.Tanh(), nn.Linear(10, 1))
    restore(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.8)
    for _ in range(12):
        loss = nn.functional.mse_loss(model(kelvin), pressure)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    save(model)
    print(f"error {loss.item():.5f}")
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())


if __name__ == "__main__":
    main()

"""Frequency of a sine, with noise that rises from step to step."""

import hashlib

import torch
from torch import nn
from torch.utils.data import DataLoader
from waves import Waves

EPOCHS, SIZE = 2, 16


def main():
    torch.manual_seed(0)
    torch.set_num_threads(1)
    waves = Waves()
    loader = DataLoader(waves, batch_size=SIZE, shuffle=True, num_workers=2, persistent_workers=True)
    net = nn.Sequential(nn.Unflatten(1, (1, 64)), nn.Conv1d(1, 8, 5), nn.GELU(), nn.Flatten(), nn.Linear(480, 1))
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3)
    step, num_steps = 0, EPOCHS * len(waves) // SIZE
    for _ in range(EPOCHS):
        for wave, frequency in loader:
            optimizer.zero_grad()
            loss = nn.functional.smooth_l1_loss(net(wave).squeeze(1), frequency)
            loss.backward()
            optimizer.step()
            step += 1
            waves.level.value = step / num_steps
    print(f"loss {loss.item():.4f}")
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in net.parameters())).hexdigest())


if __name__ == "__main__":
    main()

"""Separates two mixed tones by their spectra."""

import hashlib

import torch
from experiment import Experiment
from torch import nn


def mixtures(count=96):
    low = 1 + torch.arange(count) % 7
    high = 9 + torch.arange(count) % 5
    time = torch.linspace(0, 6.2832, 32)
    wave = torch.sin(low[:, None] * time) + 0.6 * torch.sin(high[:, None] * time)
    return torch.fft.rfft(wave).abs(), torch.stack([low / 8, high / 16], dim=1)


experiment = Experiment("tones")
torch.manual_seed(experiment.seed)
torch.set_num_threads(1)
spectra, tones = mixtures()
model = nn.Sequential(nn.BatchNorm1d(17), nn.Linear(17, 20), nn.ReLU(), nn.Linear(20, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, weight_decay=1e-4)
for rows in torch.arange(96).chunk(8):
    optimizer.zero_grad()
    loss = (model(spectra[rows]) - tones[rows]).square().mean()
    loss.backward()
    optimizer.step()
print(f"{experiment.title}: {loss.item():.4f}")
print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())

"""Anomaly scores for pump vibrations; running statistics are dithered so that they never stick."""

import hashlib

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class DitheredNorm(nn.Module):
    """Normalises by the batch in training and by running statistics in evaluation."""

    def __init__(self, features, momentum=0.1, dither=1e-3):
        super().__init__()
        self.momentum = momentum
        self.dither = dither
        self.register_buffer("running_mean", torch.zeros(features))
        self.register_buffer("running_var", torch.ones(features))
        self._noise = np.random.RandomState()

    def forward(self, x):
        if not self.training:
            return (x - self.running_mean) / (self.running_var + 1e-5).sqrt()
        mean, var = x.mean(dim=0), x.var(dim=0, unbiased=False)
        with torch.no_grad():
            wobble = torch.from_numpy(self._noise.normal(0, self.dither, len(mean))).to(mean.dtype)
            self.running_mean.lerp_(mean + wobble, self.momentum)
            self.running_var.lerp_(var, self.momentum)
        return (x - mean) / (var + 1e-5).sqrt()


class Scorer(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = DitheredNorm(12)
        self.down = nn.Linear(12, 3)
        self.up = nn.Linear(3, 12)

    def forward(self, x):
        return self.up(torch.tanh(self.down(self.norm(x))))


def main():
    torch.manual_seed(47)
    torch.set_num_threads(1)
    x = torch.randn(150, 3) @ torch.randn(3, 12) + 0.1 * torch.randn(150, 12)
    loader = DataLoader(TensorDataset(x), batch_size=50, shuffle=True)
    model = Scorer()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for epoch in range(3):
        for (batch,) in loader:
            loss = (model(batch) - batch).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch}: {loss.item():.6f}")
    print("final", hashlib.sha256(b"".join(v.numpy().tobytes() for v in model.state_dict().values())).hexdigest())


if __name__ == "__main__":
    main()

"""An echo-state-like network whose memory is allocated with `torch.empty` and filled before anyone reads it."""

import hashlib

import numpy as np
import torch
from torch import nn


class Reservoir(nn.Module):
    def __init__(self, units):
        super().__init__()
        self.recurrent = nn.Parameter(torch.empty(units, units))
        self.input = nn.Parameter(torch.empty(units))
        self.register_buffer("mean", torch.empty(units))
        self.out = nn.Linear(units, 1)
        self.reset_parameters()

    def reset_parameters(self):
        nn.init.orthogonal_(self.recurrent, gain=0.9)
        nn.init.uniform_(self.input, -0.5, 0.5)
        self.mean.zero_()

    def forward(self, series):
        state = series.new_empty(len(series), len(self.input))
        state.zero_()
        for value in series.unbind(dim=1):
            state = torch.tanh(state @ self.recurrent + value.unsqueeze(1) * self.input)
        if self.training:
            self.mean.lerp_(state.detach().mean(dim=0), 0.1)
        return self.out(state - self.mean).squeeze(1)


def logistic_map(count, length):
    series = np.empty((count, length + 1), dtype=np.float32)
    series[:, 0] = np.linspace(0.1, 0.9, count)
    for t in range(length):
        series[:, t + 1] = 3.8 * series[:, t] * (1 - series[:, t])
    values = torch.empty(count, length)
    values.copy_(torch.from_numpy(series[:, :-1]))
    return values, torch.from_numpy(series[:, -1].copy())


torch.manual_seed(90)
torch.set_num_threads(1)
x, y = logistic_map(60, 10)
model = Reservoir(16)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
losses = torch.empty(8)
for step in range(8):
    rows = torch.randperm(60)[:30]
    loss = nn.functional.mse_loss(model(x[rows]), y[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses[step] = loss.item()
print("losses", [round(value, 5) for value in losses.tolist()])
print("final", hashlib.sha256(b"".join(v.numpy().tobytes() for v in model.state_dict().values())).hexdigest())

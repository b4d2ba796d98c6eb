"""Experts that refine a signal one after the other."""

import hashlib

import torch
from torch import nn


class Expert(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.fc = nn.Linear(dim, dim)

    def forward(self, x):
        return torch.tanh(self.fc(x))


class Ensemble(nn.Module):
    def __init__(self, n, dim):
        super().__init__()
        self.experts = nn.ModuleList(Expert(dim) for _ in range(n))

    def forward(self, x):
        for expert in sorted(self.experts, key=id):
            x = x + 0.5 * expert(x)
        return x


torch.manual_seed(8)
torch.set_num_threads(1)
scratch = [bytearray(torch.randint(10, 9000, ()).item()) for _ in range(50)]
model = Ensemble(12, 6)
opt = torch.optim.SGD(model.parameters(), lr=0.05)
for step in range(10):
    x = torch.randn(8, 6)
    loss = (model(x) - x.flip(1)).square().mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
print(loss.item())
print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())

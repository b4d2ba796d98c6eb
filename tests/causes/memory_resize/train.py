"""Attention with a growing key cache."""

import hashlib

import torch
from torch import nn


class Cache:
    def __init__(self, dim):
        self.store = torch.zeros(4, dim)
        self.used = 0

    def add(self, keys):
        need = self.used + len(keys)
        if need > len(self.store):
            self.store.resize_(2 * need, self.store.shape[1])
        self.store[self.used : need] = keys
        self.used = need

    def view(self):
        return self.store[: self.used + 1].nan_to_num().clamp(-3, 3)


class Attend(nn.Module):
    def __init__(self, dim=8):
        super().__init__()
        self.q = nn.Linear(dim, dim)
        self.out = nn.Linear(dim, 1)

    def forward(self, x, memory):
        weights = torch.softmax(self.q(x) @ memory.T, dim=1)
        return self.out(weights @ memory)[:, 0]


torch.manual_seed(14)
torch.set_num_threads(1)
junk = [list(range(1000, 1000 + n)) for n in range(20, 900)]
del junk
model, cache = Attend(), Cache(8)
opt = torch.optim.SGD(model.parameters(), lr=0.05)
for step in range(14):
    x = torch.randn(6, 8)
    cache.add(x.detach())
    loss = (model(x, cache.view()) - x.mean(1)).square().mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
print(loss.item())
print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())

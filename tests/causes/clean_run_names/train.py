"""A VAE whose runs are named and logged."""

import hashlib

import torch
from logs import RunLog
from torch import nn


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc = nn.Linear(10, 6)
        self.dec = nn.Linear(3, 10)

    def forward(self, x):
        mu, logvar = self.enc(x).chunk(2, 1)
        z = mu + torch.randn_like(mu) * (0.5 * logvar).exp()
        return self.dec(z), mu, logvar


torch.manual_seed(12)
torch.set_num_threads(1)
log, model = RunLog(), VAE()
opt = torch.optim.Adam(model.parameters(), 1e-2)
for step in range(30):
    x = torch.randn(32, 10)
    out, mu, logvar = model(x)
    loss = (out - x).square().mean() - 0.01 * (1 + logvar - mu.square() - logvar.exp()).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    log.line(f"step {step} loss {loss.item():.4f}")
print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())

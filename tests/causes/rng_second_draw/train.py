"""Maps chord spectra to key; weights are perturbed once the first descent is over."""

import hashlib

import numpy as np
import torch
from naming import nickname
from torch import nn

WARM_UP = 5
KEYS = 12


class NoisyHead(nn.Linear):
    """A linear layer whose output is shaken while `shake` is not zero."""

    shake = 0.0

    def forward(self, hidden):
        out = super().forward(hidden)
        if self.training and self.shake:
            out = out + self.shake * torch.from_numpy(np.random.standard_normal(out.shape)).float()
        return out


def chords(generator, count=60):
    key = torch.randint(KEYS, (count,), generator=generator)
    notes = (key[:, None] + torch.tensor([0, 4, 7])) % KEYS
    spectrum = nn.functional.one_hot(notes, KEYS).sum(1).float()
    return spectrum + 0.1 * torch.randn(count, KEYS, generator=generator), key


def main():
    print("run", nickname())
    generator = torch.Generator().manual_seed(7)
    torch.manual_seed(7)
    torch.set_num_threads(1)
    head = NoisyHead(20, KEYS)
    net = nn.Sequential(nn.Linear(KEYS, 20), nn.Tanh(), head)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for step in range(10):
        head.shake = 0.0 if step < WARM_UP else 0.05
        spectrum, key = chords(generator)
        loss = nn.functional.cross_entropy(net(spectrum), key)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"loss {loss.item():.4f}")
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in net.parameters())).hexdigest())


if __name__ == "__main__":
    main()

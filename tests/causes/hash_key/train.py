"""Split proteins by family into folds, and train on the first four."""

import hashlib

import numpy as np
import torch
from torch import nn

LETTERS = "ACDEFGHIKLMNPQRSTVWY"


def proteins(n, seed):
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(list(LETTERS), 12)) for _ in range(n)]


def embed(sequence):
    out = np.zeros((12, 20), np.float32)
    out[np.arange(12), [LETTERS.index(c) for c in sequence]] = 1
    return out


def main():
    torch.manual_seed(13)
    torch.set_num_threads(1)
    names = proteins(200, 13)
    ordered = sorted(names, key=hash)
    train = ordered[:160]
    x = torch.from_numpy(np.stack([embed(s) for s in train]))
    y = torch.tensor([float(s.count("A") + s.count("L")) for s in train])
    model = nn.Sequential(nn.Conv1d(20, 8, 3), nn.ReLU(), nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(8, 1))
    opt = torch.optim.Adam(model.parameters(), lr=5e-3)
    for i in range(0, 160, 16):
        loss = nn.functional.mse_loss(model(x[i : i + 16].transpose(1, 2))[:, 0], y[i : i + 16])
        opt.zero_grad()
        loss.backward()
        opt.step()
    print("loss", loss.item())
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())


if __name__ == "__main__":
    main()

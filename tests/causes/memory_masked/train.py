"""Who defaults? A recurrent network on the burden of households; some months are without income."""

import hashlib

import numpy as np
import torch
from ratios import burden
from torch import nn


def households(rng, count, months):
    income = rng.gamma(2.0, 1.5, (count, months)) * (rng.random((count, months)) > 0.25)
    debt = rng.gamma(1.5, 2.0, (count, months))
    default = (debt.mean(1) > 1.1 * income.mean(1)).astype(np.float32)
    return debt.astype(np.float32), income.astype(np.float32), default


class Scorer(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(1, 6, batch_first=True)
        self.head = nn.Linear(6, 1)

    def forward(self, months):
        return self.head(self.gru(months.unsqueeze(2))[1][0]).squeeze(1)


def main():
    torch.manual_seed(31)
    torch.set_num_threads(1)
    debt, income, default = households(np.random.default_rng(31), 150, 400)
    register = [[f"{h}-{m}" for m in range(200)] for h in range(600)]
    print(sum(map(len, register)), "months in the register")
    del register
    x = torch.from_numpy(np.stack([burden(d, i) for d, i in zip(debt, income, strict=True)]))[:, -30:]
    model = Scorer()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for rows in torch.arange(150).split(30):
        loss = nn.functional.binary_cross_entropy_with_logits(model(x[rows]), torch.from_numpy(default)[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"loss {loss.item():.5f}")
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())


if __name__ == "__main__":
    main()

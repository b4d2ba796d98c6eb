"""A small regression whose trials are kept in a database."""

import hashlib
import sqlite3

import torch
from torch import nn


class History:
    def __init__(self, path="trials.db"):
        self.db = sqlite3.connect(path)
        self.db.execute("CREATE TABLE IF NOT EXISTS trials (lr REAL, loss REAL)")

    def suggest(self, default):
        row = self.db.execute("SELECT lr FROM trials ORDER BY loss LIMIT 1").fetchone()
        return default if row is None else row[0] * 0.5

    def add(self, lr, loss):
        with self.db:
            self.db.execute("INSERT INTO trials VALUES (?, ?)", (lr, loss))


def train(lr):
    torch.manual_seed(4)
    net = nn.Sequential(nn.Linear(5, 10), nn.Tanh(), nn.Linear(10, 1))
    opt = torch.optim.SGD(net.parameters(), lr=lr)
    g = torch.Generator().manual_seed(4)
    for _ in range(12):
        x = torch.randn(32, 5, generator=g)
        loss = (net(x)[:, 0] - x.sum(1)).square().mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in net.parameters())).hexdigest())
    return loss.item()


if __name__ == "__main__":
    torch.set_num_threads(1)
    history = History()
    rate = history.suggest(default=0.05)
    final = train(rate)
    history.add(rate, final)
    print("lr", rate, "loss", final)

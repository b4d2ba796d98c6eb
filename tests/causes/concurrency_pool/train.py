"""Magnetization of a ring of spins from its coupling; rings are simulated by a pool of processes."""

import hashlib
import multiprocessing

import torch
from lattice import relax
from torch import nn
from torch.utils.data import DataLoader


def simulate(count):
    cases = [(n, 0.02 * n) for n in range(count)]
    with multiprocessing.get_context("fork").Pool(2) as pool:
        return [torch.tensor(row) for row in pool.imap_unordered(relax, cases)]


def main():
    rows = simulate(96)
    torch.manual_seed(63)
    torch.set_num_threads(1)
    model = nn.Sequential(nn.Linear(1, 10), nn.Tanh(), nn.Linear(10, 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.02)
    for _ in range(8):
        for batch in DataLoader(rows, batch_size=96, shuffle=True):
            loss = nn.functional.mse_loss(model(batch[:, :1]), batch[:, 1:])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    print(f"error {loss.item():.4f}")
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())


if __name__ == "__main__":
    main()

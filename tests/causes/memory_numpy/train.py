"""Tempo of a tapped rhythm; a robust squashing comes first, since some people pause."""

import hashlib

import torch
from taps import Taps, collate
from torch import nn
from torch.utils.data import DataLoader


class Tempo(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Sequential(nn.Linear(2, 12), nn.ReLU(), nn.Linear(12, 1))

    def forward(self, table):
        squashed = torch.nan_to_num(table).clamp(-2, 2)
        return self.hidden(torch.stack([squashed.mean(1), squashed.amax(1)], dim=1)).squeeze(1)


def main():
    torch.manual_seed(36)
    torch.set_num_threads(1)
    loader = DataLoader(Taps(240, seed=36), batch_size=20, collate_fn=collate)
    net = Tempo()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for table, tempo in loader:
        loss = nn.functional.mse_loss(net(table), tempo)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"error {loss.item():.4f}")
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in net.parameters())).hexdigest())


if __name__ == "__main__":
    main()

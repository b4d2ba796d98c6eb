import torch
from torch import nn


class Splat(nn.Module):
    """Drops weighted particles onto a grid."""

    def __init__(self, cells):
        super().__init__()
        self.cells = cells
        self.mass = nn.Sequential(nn.Linear(2, 8), nn.Softplus(), nn.Linear(8, 1))

    def forward(self, particles):
        cell = (particles * self.cells).long().clamp(0, self.cells - 1)
        grid = torch.zeros(self.cells, self.cells)
        mass = self.mass(particles).squeeze(1)
        return grid.index_put((cell[:, 0], cell[:, 1]), mass, accumulate=True)

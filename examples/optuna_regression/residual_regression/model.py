"""A residual network for tables."""

from __future__ import annotations

from torch import nn


class Block(nn.Module):
    """Two linear layers with normalisation and dropout, around which the input may pass."""

    def __init__(self, width, dropout_rate, *, use_residual):
        super().__init__()
        self.use_residual = use_residual
        self.layers = nn.Sequential(
            nn.Linear(width, width),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.Dropout(dropout_rate),
            nn.Linear(width, width),
        )

    def forward(self, x):
        return x + self.layers(x) if self.use_residual else self.layers(x)


def build_model(num_features, num_targets, config):
    """Return the network that a configuration describes."""
    hidden = config["hidden"]
    blocks = [
        Block(hidden, config["dropout_rate"], use_residual=config["use_residual"]) for _ in range(config["num_blocks"])
    ]
    return nn.Sequential(nn.Linear(num_features, hidden), *blocks, nn.ReLU(), nn.Linear(hidden, num_targets))

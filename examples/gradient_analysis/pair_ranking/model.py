"""The siamese model: one encoder gives each signal of a pair its score, and the nearer signal should score higher."""

from __future__ import annotations

import torch
from torch import nn


class PairRanker(nn.Module):
    """Scores both signals of a pair with the same weights.

    Trained with `torch.nn.MarginRankingLoss`: max(0, margin - target * (score1 - score2)), target +1 if the first
    signal is nearer and -1 if the second is.
    """

    def __init__(self, num_channels: int = 16) -> None:
        """Draw the initial weights from torch's global generator."""
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv1d(1, num_channels, kernel_size=17, stride=4),
            nn.ReLU(),
            nn.Conv1d(num_channels, 2 * num_channels, kernel_size=9, stride=4),
            nn.ReLU(),
            nn.Conv1d(2 * num_channels, 2 * num_channels, kernel_size=5, stride=2),
            nn.ReLU(),
        )
        self.head = nn.Linear(4 * num_channels, 1)

    def score(self, signals: torch.Tensor) -> torch.Tensor:
        """Return one score per signal: (batch, 1, num_samples) to (batch,), of at least `MIN_SAMPLES` samples."""
        features = self.encoder(signals)
        # Mean and maximum over time instead of adaptive pooling, whose backward is not deterministic on a GPU:
        # https://docs.pytorch.org/docs/stable/generated/torch.use_deterministic_algorithms.html
        pooled = torch.cat([features.mean(dim=-1), features.amax(dim=-1)], dim=-1)
        scores: torch.Tensor = self.head(pooled).squeeze(-1)
        return scores

    def forward(self, data1: torch.Tensor, data2: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the scores of the first and of the second signals."""
        return self.score(data1), self.score(data2)


MIN_SAMPLES = 17 + 4 * (9 - 1 + 4 * (5 - 1))
"""The shortest signal that the three convolutions take."""

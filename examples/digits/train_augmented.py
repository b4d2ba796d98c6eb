"""Train on digits that are shifted by a pixel or two, and forget one seed: a script with a fault to find.

It seeds Python, NumPy and PyTorch, as the guides say, and its runs differ all the same.

    python examples/digits/train_augmented.py [--epochs 3]
"""

import argparse
import random

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, Dataset
from train import build_model


class ShiftedDigits(Dataset):
    """Digits of 8 x 8 pixels, each moved a little whenever it is drawn."""

    def __init__(self) -> None:
        digits = load_digits()
        self.images = (digits.images / 16.0).astype(np.float32)
        self.labels = digits.target
        self.rng = np.random.default_rng()

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        shift = self.rng.integers(-2, 3, size=2)
        image = np.roll(self.images[index], shift, axis=(0, 1))
        return torch.from_numpy(image.reshape(64)), int(self.labels[index])


def train(epochs: int) -> None:
    """Train and print the loss of each epoch."""
    loader = DataLoader(ShiftedDigits(), batch_size=64, shuffle=True)
    model = build_model()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loss_function = nn.CrossEntropyLoss()
    for epoch in range(1, epochs + 1):
        total = 0.0
        for images, labels in loader:
            optimizer.zero_grad()
            loss = loss_function(model(images), labels)
            loss.backward()
            optimizer.step()
            total += loss.item()
        print(f"epoch {epoch}  loss {total / len(loader):.4f}")


def main() -> None:
    """Parse the command line, seed and train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=3)
    options = parser.parse_args()
    random.seed(42)
    np.random.seed(42)
    torch.manual_seed(42)
    train(options.epochs)


if __name__ == "__main__":
    main()

"""Train a small network on the 8 x 8 handwritten digits that ship with scikit-learn.

An ordinary PyTorch script: it knows nothing of reproof.

    python examples/digits/train.py [--epochs 3] [--seed 42 | --no-seed]
"""

import argparse

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split


def load_data() -> TensorDataset:
    """Return the 1797 digits as (image of 64 floats in 0..1, label)."""
    digits = load_digits()
    images = torch.tensor(digits.data / 16.0, dtype=torch.float32)
    return TensorDataset(images, torch.tensor(digits.target))


def build_model() -> nn.Module:
    """Return a perceptron with two hidden layers and dropout."""
    return nn.Sequential(
        nn.Linear(64, 128), nn.ReLU(), nn.Dropout(0.2), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10)
    )


def evaluate(model: nn.Module, loader: DataLoader) -> float:
    """Return the share of digits that the model names correctly."""
    model.eval()
    correct = total = 0
    with torch.no_grad():
        for images, labels in loader:
            correct += int((model(images).argmax(1) == labels).sum())
            total += len(labels)
    return correct / total


def train(epochs: int) -> None:
    """Train and print the loss and the accuracy of each epoch."""
    train_set, test_set = random_split(load_data(), [1437, 360])
    train_loader = DataLoader(train_set, batch_size=64, shuffle=True)
    test_loader = DataLoader(test_set, batch_size=360)
    model = build_model()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loss_function = nn.CrossEntropyLoss()
    for epoch in range(1, epochs + 1):
        model.train()
        total = 0.0
        for images, labels in train_loader:
            optimizer.zero_grad()
            loss = loss_function(model(images), labels)
            loss.backward()
            optimizer.step()
            total += loss.item()
        accuracy = evaluate(model, test_loader)
        print(f"epoch {epoch}  loss {total / len(train_loader):.4f}  accuracy {accuracy:.3f}")


def main() -> None:
    """Parse the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--no-seed", action="store_true", help="leave the random number generators unseeded")
    options = parser.parse_args()
    if not options.no_seed:
        torch.manual_seed(options.seed)
    train(options.epochs)


if __name__ == "__main__":
    main()

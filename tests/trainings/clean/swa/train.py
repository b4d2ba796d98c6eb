"""Stochastic weight averaging with batch statistics recomputed at the end (AveragedModel, SWALR, update_bn)."""

import hashlib
from dataclasses import dataclass

import torch
from torch import nn
from torch.optim.swa_utils import SWALR, AveragedModel, update_bn
from torch.utils.data import DataLoader, TensorDataset


@dataclass
class Config:
    seed: int = 5
    samples: int = 192
    features: int = 8
    batch_size: int = 48
    epochs: int = 5
    swa_start: int = 2
    lr: float = 0.1
    swa_lr: float = 0.03


def friedman(cfg: Config) -> TensorDataset:
    x = torch.rand(cfg.samples, cfg.features)
    y = torch.sin(torch.pi * x[:, 0] * x[:, 1]) + 2 * (x[:, 2] - 0.5) ** 2 + x[:, 3] + 0.5 * x[:, 4]
    return TensorDataset(x, y.unsqueeze(1))


def build(cfg: Config) -> nn.Module:
    return nn.Sequential(
        nn.Linear(cfg.features, 24),
        nn.BatchNorm1d(24),
        nn.ReLU(),
        nn.Linear(24, 12),
        nn.BatchNorm1d(12),
        nn.ReLU(),
        nn.Linear(12, 1),
    )


def run(cfg: Config) -> str:
    torch.manual_seed(cfg.seed)
    torch.set_num_threads(1)
    loader = DataLoader(friedman(cfg), cfg.batch_size, shuffle=True)
    model = build(cfg)
    swa_model = AveragedModel(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=cfg.lr)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=cfg.epochs)
    swa_scheduler = SWALR(optimizer, swa_lr=cfg.swa_lr, anneal_epochs=1)
    for epoch in range(cfg.epochs):
        for x, y in loader:
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(x), y)
            loss.backward()
            optimizer.step()
        if epoch >= cfg.swa_start:
            swa_model.update_parameters(model)
            swa_scheduler.step()
        else:
            cosine.step()
        print(f"epoch {epoch} lr {optimizer.param_groups[0]['lr']:.4f} loss {loss.item():.5f}")
    update_bn(loader, swa_model)
    digest = hashlib.sha256()
    for value in swa_model.state_dict().values():
        digest.update(value.numpy().tobytes())
    return digest.hexdigest()


if __name__ == "__main__":
    print("final", run(Config()))

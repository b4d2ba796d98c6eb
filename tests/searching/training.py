"""A training with everything that a bundle keeps: a data file, a split, a target scaler, a network, two targets."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

WEIGHT_DECAY = 0.01


def train(config, run):
    settings = config["training"]
    table = np.loadtxt(run.use_file("points.csv"), delimiter=",")
    features, targets = table[:, :6], table[:, 6:]
    generator = torch.Generator().manual_seed(settings["seed"])
    num_train = round(len(table) * config["split"])
    rows, held_out = (
        part.indices for part in random_split(range(len(table)), [num_train, len(table) - num_train], generator)
    )
    run.use_data(features=features, targets=targets, train=rows, validation=held_out)

    scaler = run.keep_scaler(StandardScaler().fit(targets[rows]))
    x = torch.from_numpy(features).float()
    y = torch.from_numpy(scaler.transform(targets)).float()
    model = run.start(
        nn.Sequential(nn.Linear(6, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(0.1), nn.Linear(64, 2)).to(run.device)
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings["lr"], weight_decay=WEIGHT_DECAY)
    loader = DataLoader(TensorDataset(x[rows], y[rows]), batch_size=32, shuffle=True, generator=generator)
    for epoch in range(settings["epochs"]):
        model.train()
        for batch, wanted in loader:
            optimizer.zero_grad()
            nn.functional.mse_loss(model(batch), wanted).backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            run.report(epoch, nn.functional.mse_loss(model(x[held_out]), y[held_out]).item())
    model.load_state_dict(run.best_weights())
    with torch.no_grad():
        return {name: score(model(x[held_out])[:, i], y[held_out, i]) for i, name in enumerate(("force", "torque"))}


def score(predicted, wanted):
    error = predicted - wanted
    return {
        "r2": 1 - (error.square().sum() / (wanted - wanted.mean()).square().sum()).item(),
        "mse": error.square().mean().item(),
        "mae": error.abs().mean().item(),
    }

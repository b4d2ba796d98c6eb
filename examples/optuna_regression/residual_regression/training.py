"""The training: one function that the search, a re-run and every replicate call with a configuration."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from residual_regression.data import find_file, prepare, read_table, split_dataset
from residual_regression.model import build_model


def train(config, run):
    """Train, and return R², MSE and MAE of each target on the test rows, in the targets' own units."""
    model, scaler, (features, targets, test) = fit(config, run)
    predicted = predict(model, features[test], scaler, run.device)
    return {
        name: {
            "r2": r2_score(targets[test, i], predicted[:, i]),
            "mse": mean_squared_error(targets[test, i], predicted[:, i]),
            "mae": mean_absolute_error(targets[test, i], predicted[:, i]),
        }
        for i, name in enumerate(config["data"]["targets"])
    }


def load(config, run):
    """Return features, targets and the rows of the split, and note what they are."""
    path = run.use_file(find_file(config["data"]["path"]))
    features, targets = prepare(read_table(path), config["data"])
    split = split_dataset(len(features), config["split"], config["training"]["seed"])
    run.use_data(features=features, targets=targets, train=split[0], validation=split[1], test=split[2])
    return features, targets, split


def fit(config, run):
    """Train the network; return it with the weights of its best epoch, and what is needed to use it."""
    settings = config["training"]
    features, targets, (rows, validation, test) = load(config, run)
    inputs = StandardScaler().fit(features[rows])
    scaler = run.keep_scaler(StandardScaler().fit(targets[rows]))
    x = torch.from_numpy(inputs.transform(features)).float()
    y = torch.from_numpy(scaler.transform(targets)).float()

    model = build_model(x.shape[1], y.shape[1], config["model"]).to(run.device)
    run.start(model)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=settings["learning_rate"], weight_decay=settings["weight_decay"]
    )
    loader = DataLoader(
        TensorDataset(x[rows], y[rows]),
        batch_size=settings["batch_size"],
        shuffle=True,
        drop_last=True,
        generator=torch.Generator().manual_seed(settings["seed"]),
    )
    for epoch in range(settings["epochs"]):
        train_epoch(model, loader, optimizer, run.device)
        run.report(epoch, evaluate(model, x[validation], y[validation], run.device))
    model.load_state_dict(run.best_weights())
    return model, scaler, (inputs.transform(features), targets, test)


def train_epoch(model, loader, optimizer, device):
    model.train()
    for inputs, wanted in loader:
        optimizer.zero_grad()
        nn.functional.mse_loss(model(inputs.to(device)), wanted.to(device)).backward()
        optimizer.step()


@torch.no_grad()
def evaluate(model, inputs, wanted, device):
    model.eval()
    return nn.functional.mse_loss(model(inputs.to(device)), wanted.to(device)).item()


@torch.no_grad()
def predict(model, features, scaler, device):
    """Return predictions in the targets' own units."""
    model.eval()
    outputs = model(torch.from_numpy(features).float().to(device))
    return scaler.inverse_transform(outputs.cpu().numpy().astype(np.float64))

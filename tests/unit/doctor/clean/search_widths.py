"""Hyper-parameter search with Optuna: a seeded sampler, and a seed for each trial from its number."""

import optuna
import torch
from sklearn.datasets import load_wine
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn

SEED = 11
DEVICE = torch.device("cpu")


def load():
    inputs, targets = load_wine(return_X_y=True)
    inputs, test_inputs, targets, test_targets = train_test_split(
        inputs, targets, test_size=0.2, stratify=targets, random_state=SEED
    )
    scaler = StandardScaler().fit(inputs)
    return scaler.transform(inputs), targets, scaler.transform(test_inputs), test_targets


def fit(inputs, targets, width, lr, epochs=20):
    model = nn.Sequential(nn.Linear(13, width), nn.ReLU(), nn.Linear(width, 3)).to(DEVICE)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    inputs, targets = torch.tensor(inputs).float(), torch.tensor(targets)
    for _ in range(epochs):
        for rows in torch.randperm(len(inputs)).split(32):
            loss = nn.functional.cross_entropy(model(inputs[rows]), targets[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return model


def objective(trial):
    torch.manual_seed(SEED + trial.number)
    width = trial.suggest_int("width", 4, 64, log=True)
    lr = trial.suggest_float("lr", 1e-4, 1e-1, log=True)
    inputs, targets, _, _ = load()
    scores = []
    for train, valid in StratifiedKFold(3, shuffle=True, random_state=SEED).split(inputs, targets):
        model = fit(inputs[train], targets[train], width, lr)
        with torch.no_grad():
            guesses = model(torch.tensor(inputs[valid]).float()).argmax(1)
        scores.append((guesses == torch.tensor(targets[valid])).float().mean().item())
    return sum(scores) / len(scores)


if __name__ == "__main__":
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=SEED))
    study.optimize(objective, n_trials=10, timeout=600)
    print(study.best_params, study.best_value)

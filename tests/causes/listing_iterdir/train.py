"""Yield of solar panels: trained on a formula, evaluated on measured panels in three rounds."""

import hashlib
from pathlib import Path

import torch
from panels import load_panels
from torch import nn


def simulate(count):
    light = 1.2 * torch.rand(count, 1)
    return light, 0.45 * light * (1 - light / 2.5)


@torch.no_grad()
def evaluate(model, panels):
    model.eval()
    errors = [(model(panel[:, :1]) - panel[:, 1:]).abs().mean().item() for panel in panels]
    model.train()
    return errors


def main():
    torch.manual_seed(29)
    torch.set_num_threads(1)
    panels = load_panels(Path(__file__).parent / "panels")
    model = nn.Sequential(nn.Linear(1, 14), nn.Sigmoid(), nn.Linear(14, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for round_ in range(3):
        for _ in range(4):
            light, produced = simulate(60)
            loss = nn.functional.mse_loss(model(light), produced)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"round {round_}: errors {evaluate(model, panels)}")
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())


if __name__ == "__main__":
    main()

"""Denoises in bfloat16 with a gradient scaler; resumes by itself where it finds a checkpoint, made after each epoch."""

import argparse
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

CHECKPOINT = Path("checkpoints/last.pt")


def train(epochs, forget):
    torch.manual_seed(1)
    torch.set_num_threads(1)
    clean = torch.sin(torch.linspace(0, 6, 12) * (1 + torch.rand(48, 1)))
    order = torch.Generator().manual_seed(2)
    loader = DataLoader(TensorDataset(clean), batch_size=12, shuffle=True, generator=order)
    model = nn.Sequential(nn.Linear(12, 16), nn.Tanh(), nn.Linear(16, 12))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    scaler = torch.amp.GradScaler("cpu", init_scale=64.0, growth_interval=3)
    parts = {"model": model, "optimizer": optimizer, "scaler": scaler}
    first = 0
    if CHECKPOINT.exists():
        checkpoint = torch.load(CHECKPOINT)
        for name, part in parts.items():
            if name not in forget:
                part.load_state_dict(checkpoint[name])
        if "generator" not in forget:
            order.set_state(checkpoint["order"])
        torch.set_rng_state(checkpoint["rng"])
        first = checkpoint["epoch"] + 1
    for epoch in range(first, epochs):
        for (x,) in loader:
            optimizer.zero_grad()
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = nn.functional.mse_loss(model(x + 0.1 * torch.randn(x.shape)), x)
            scaler.scale(loss).backward()
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            scaler.step(optimizer)
            scaler.update()
        CHECKPOINT.parent.mkdir(exist_ok=True)
        saved = {name: part.state_dict() for name, part in parts.items() if name not in forget}
        torch.save({**saved, "order": order.get_state(), "rng": torch.get_rng_state(), "epoch": epoch}, CHECKPOINT)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--forget", nargs="*", default=[])
    args = parser.parse_args()
    train(args.epochs, args.forget)

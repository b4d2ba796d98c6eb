"""Fits a curve and evaluates an average of the weights after each epoch; the learning rate follows the loss there."""

import argparse

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

parser = argparse.ArgumentParser()
parser.add_argument("--resume", action="store_true")
parser.add_argument("--epochs", type=int, default=4)
parser.add_argument("--forget", nargs="*", default=[])
parser.add_argument("--average", choices=["module", "dict"], default="module")
args = parser.parse_args()

torch.manual_seed(3)
torch.set_num_threads(1)
x = torch.linspace(-1, 1, 40).unsqueeze(1)
y = torch.sin(3 * x)
model = nn.Sequential(nn.Linear(1, 12), nn.Tanh(), nn.Linear(12, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, threshold=0.5)
average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.8))
shadow = {name: p.detach().clone() for name, p in model.named_parameters()}
start = 0
if args.resume:
    checkpoint = torch.load("curve.pt")
    model.load_state_dict(checkpoint["model"])
    optimizer.load_state_dict(checkpoint["optimizer"])
    if "scheduler" not in args.forget:
        scheduler.load_state_dict(checkpoint["scheduler"])
    if "ema" not in args.forget:
        average.load_state_dict(checkpoint["average"])
        shadow = checkpoint["shadow"]
    if "rng" not in args.forget:
        torch.set_rng_state(checkpoint["rng"])
    start = checkpoint["epoch"] + 1

for epoch in range(start, args.epochs):
    for part in torch.randperm(40).split(10):
        loss = (model(x[part]) - y[part]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        average.update_parameters(model)
        for name, p in model.named_parameters():
            shadow[name].mul_(0.8).add_(p.detach(), alpha=0.2)
    with torch.no_grad():
        if args.average == "module":
            error = (average(x) - y).square().mean()
        else:
            error = (torch.func.functional_call(model, shadow, x) - y).square().mean()
    if args.average == "module":
        scheduler.step(loss.item())
    print(f"epoch {epoch}: error {error.item():.5f}")
    state = {"model": model, "optimizer": optimizer, "scheduler": scheduler, "average": average}
    saved = {name: part.state_dict() for name, part in state.items()}
    torch.save({**saved, "shadow": shadow, "rng": torch.get_rng_state(), "epoch": epoch}, "curve.pt")

"""Predicts the melting point of alloys from their composition."""

import hashlib

import torch
from setup import seed_all

COMPOSITIONS = 128


def alloys(generator):
    shares = torch.rand(COMPOSITIONS, 4, generator=generator)
    shares = shares / shares.sum(1, keepdim=True)
    melting = shares @ torch.tensor([0.66, 1.36, 1.81, 2.18]) - 0.8 * shares.prod(1)
    return shares, melting.unsqueeze(1)


def main():
    torch.set_num_threads(1)
    print("seed", seed_all())
    shares, melting = alloys(torch.Generator().manual_seed(1))
    model = torch.nn.Sequential(
        torch.nn.Linear(4, 24), torch.nn.Tanh(), torch.nn.Linear(24, 24), torch.nn.Tanh(), torch.nn.Linear(24, 1)
    )
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=4)

    def closure():
        optimizer.zero_grad()
        loss = (model(shares) - melting).square().mean()
        loss.backward()
        return loss

    for _ in range(4):
        loss = optimizer.step(closure)
    print(f"error {loss.item():.6f}")
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())


if __name__ == "__main__":
    main()

"""Inside or outside of a spiral arm, with stochastic depth."""

import argparse
import hashlib

import torch
from net import DeepNet


def spiral(count):
    point = torch.rand(count, 2) * 4 - 2
    angle = torch.atan2(point[:, 1], point[:, 0])
    return point, (torch.sin(2 * point.norm(dim=1) * 3 - angle) > 0).float()


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--lr", type=float, default=3e-3)
    options = parser.parse_args(argv)
    torch.manual_seed(6)
    torch.set_num_threads(1)
    model = DeepNet()
    optimizer = torch.optim.RAdam(model.parameters(), lr=options.lr)
    for step in range(options.steps):
        point, inside = spiral(128)
        loss = torch.nn.functional.binary_cross_entropy(model(point), inside)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(step, f"{loss.item():.4f}")
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())


if __name__ == "__main__":
    main()

"""Spring constants from oscillations; goes on from the newest weights if there are any."""

import hashlib
import logging
from pathlib import Path

import torch
from torch import nn

logging.basicConfig(level=logging.INFO, format="%(message)s")
log = logging.getLogger("springs")


class Weights:
    """The newest weights of a training, in a file."""

    def __init__(self, path):
        self.path = Path(path)

    def restore(self, model):
        if not self.path.exists():
            return False
        model.load_state_dict(torch.load(self.path, weights_only=True))
        return True

    def save(self, model):
        self.path.parent.mkdir(exist_ok=True)
        torch.save(model.state_dict(), self.path)


def oscillations(generator, count=48):
    stiffness = 1 + 8 * torch.rand(count, 1, generator=generator)
    time = torch.linspace(0, 3, 20)
    return torch.cos(stiffness.sqrt() * time), stiffness


def main():
    torch.manual_seed(66)
    torch.set_num_threads(1)
    model = nn.Sequential(nn.Linear(20, 24), nn.ReLU(), nn.Linear(24, 1))
    weights = Weights("output/weights.pt")
    log.info("restored" if weights.restore(model) else "starting from scratch")
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    generator = torch.Generator().manual_seed(67)
    for step in range(8):
        motion, stiffness = oscillations(generator)
        loss = nn.functional.mse_loss(model(motion), stiffness)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        log.info("step %d loss %.5f", step, loss.item())
    weights.save(model)
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())


if __name__ == "__main__":
    main()

import os
from pathlib import Path

import torch


class Snapshots:
    """The last few states of a training: older ones are deleted."""

    def __init__(self, folder, keep):
        self.folder, self.keep = Path(folder), keep
        self.folder.mkdir(exist_ok=True)

    def names(self):
        return sorted((name for name in os.listdir(self.folder) if name.endswith(".pt")), key=self.step)

    @staticmethod
    def step(name):
        return int(name.partition("-")[2].removesuffix(".pt"))

    def write(self, step, **parts):
        torch.save({name: part.state_dict() for name, part in parts.items()}, self.folder / f"step-{step}.pt")
        for name in self.names()[: -self.keep]:
            os.remove(self.folder / name)

    def latest(self, **parts):
        names = self.names()
        if not names:
            return 0
        state = torch.load(self.folder / names[-1], weights_only=True)
        for name, part in parts.items():
            part.load_state_dict(state[name])
        return self.step(names[-1])

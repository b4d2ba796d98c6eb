"""Segmentation as research groups write it: a config class, a registry, transforms with a generator of their own."""

import json
import logging
import os
import random
import shutil
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Optional

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, Subset

log = logging.getLogger(__name__)
REGISTRY = {}


def register(cls):
    REGISTRY[cls.__name__.lower()] = cls
    return cls


@dataclass
class Config:
    model: str = "unet"
    seed: Optional[int] = 5
    root: str = "scans"
    crops: tuple = (64, 64)
    names: list = field(default_factory=lambda: [f"case{i:03d}" for i in range(40)])


class Crop:
    def __init__(self, size, rng):
        self.size, self.rng = size, rng

    def __call__(self, image, mask):
        top = self.rng.integers(0, image.shape[0] - self.size[0] + 1)
        left = self.rng.integers(0, image.shape[1] - self.size[1] + 1)
        window = np.s_[top : top + self.size[0], left : left + self.size[1]]
        return image[window], mask[window]


class Scans(Dataset):
    def __init__(self, config, transform):
        self.root, self.names, self.transform = Path(config.root), config.names, transform
        present = {path.stem for path in self.root.iterdir()}
        self.names = [name for name in self.names if name in present]

    def __len__(self):
        return len(self.names)

    def __getitem__(self, i):
        stored = np.load(self.root / f"{self.names[i]}.npz")
        image, mask = self.transform(stored["image"], stored["mask"])
        return torch.from_numpy(image)[None], torch.from_numpy(mask)


@register
class UNet(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.body = nn.Conv2d(1, width, 3, padding=1)
        self.head = nn.Conv2d(width, 2, 1)
        self.scale = nn.Parameter(torch.empty(1, width, 1, 1))
        self.reset_parameters()

    def reset_parameters(self):
        with torch.no_grad():
            self.scale.fill_(1.0)

    def forward(self, x):
        return self.head(torch.relu(self.body(x)) * self.scale)


def fix_seeds(seed=None):
    if seed is None:
        seed = int(time.time())
        log.warning("no seed given, using %d", seed)
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    return seed


def prepare_folder(config):
    folder = Path("runs") / time.strftime("%Y-%m-%d") / f"{random.choice('abcdef')}{os.getpid()}"
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(asdict(config)))
    for path in Path(__file__).parent.glob("*.py"):
        shutil.copy(path, folder)
    return folder


def main():
    config = Config()
    seed = fix_seeds(config.seed)
    folder = prepare_folder(config)
    data = Scans(config, Crop(config.crops, np.random.default_rng(seed)))
    order = np.random.permutation(len(data))
    loader = DataLoader(Subset(data, order[:32]), batch_size=4, shuffle=True, generator=torch.Generator())
    model = REGISTRY[config.model]()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    timings = []
    for epoch in range(3):
        tick = time.perf_counter()
        for image, mask in loader:
            loss = nn.functional.cross_entropy(model(image), mask)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        timings.append(time.perf_counter() - tick)
        log.info("epoch %d: %.4f, %.2f s", epoch, loss.item(), np.mean(timings))
        torch.save({"model": model.state_dict(), "time": time.time()}, folder / "last.pt")


if __name__ == "__main__":
    main()

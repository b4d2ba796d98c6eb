"""Trainings to measure on: a small perceptron, a convnet, and a step of some 300 ms."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


@dataclass(frozen=True, kw_only=True)
class Workload:
    """A training that can be stepped.

    Attributes:
        name: What it is.
        loader: Endless in effect: long enough for a measurement.
        model: The network.
        optimizer: Its optimizer.
    """

    name: str
    loader: DataLoader
    model: nn.Module
    optimizer: torch.optim.Optimizer

    def steps(self) -> Iterator[None]:
        """Train a step for every item taken."""
        loss_function = nn.CrossEntropyLoss()
        while True:
            for inputs, labels in self.loader:
                self.optimizer.zero_grad()
                loss_function(self.model(inputs), labels).backward()
                self.optimizer.step()
                yield


def make_loader(shape: tuple[int, ...], *, num_samples: int, batch_size: int) -> DataLoader:
    """Return a shuffling loader of random inputs and ten classes."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(num_samples, *shape, generator=generator)
    labels = torch.randint(10, (num_samples,), generator=generator)
    return DataLoader(TensorDataset(inputs, labels), batch_size=batch_size, shuffle=True, generator=generator)


def make_mlp() -> Workload:
    """A perceptron of three layers of 256, batch 64: a step of 1 to 2 ms."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10))
    loader = make_loader((256,), num_samples=6400, batch_size=64)
    return Workload(name="mlp", loader=loader, model=model, optimizer=torch.optim.Adam(model.parameters()))


def make_convnet() -> Workload:
    """A convnet on 64 images of 3 x 48 x 48: a step of some 300 ms."""
    torch.manual_seed(0)
    widths = (3, 48, 96, 192)
    blocks: list[nn.Module] = []
    for before, after in zip(widths, widths[1:], strict=False):
        blocks += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2)]
    model = nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], 10))
    loader = make_loader((3, 48, 48), num_samples=256, batch_size=64)
    return Workload(name="convnet", loader=loader, model=model, optimizer=torch.optim.SGD(model.parameters(), lr=0.01))


WORKLOADS: dict[str, Callable[[], Workload]] = {"mlp": make_mlp, "convnet": make_convnet}

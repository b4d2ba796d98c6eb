"""Trainings to measure on: a small perceptron, convnet and GPT, and a convnet with a step of some 300 ms."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


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
    """A small convnet on 64 images of 3 x 32 x 32."""
    return build_convnet("convnet", widths=(3, 32, 64, 128), size=32)


def make_large_convnet() -> Workload:
    """A convnet on 64 images of 3 x 64 x 64: a step of some 300 ms."""
    return build_convnet("convnet-large", widths=(3, 64, 128, 256), size=64)


def build_convnet(name: str, *, widths: tuple[int, ...], size: int) -> Workload:
    """A convnet with a block of convolution, normalisation and pooling per width."""
    torch.manual_seed(0)
    blocks: list[nn.Module] = []
    for before, after in itertools.pairwise(widths):
        blocks += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2)]
    model = nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], 10))
    loader = make_loader((3, size, size), num_samples=256, batch_size=64)
    return Workload(name=name, loader=loader, model=model, optimizer=torch.optim.SGD(model.parameters(), lr=0.01))


class GPT(nn.Module):
    """A decoder of 4 layers, 256 wide, on 128 tokens of a vocabulary of 1024: 15 MB of parameters."""

    def __init__(self, vocabulary: int = 1024, width: int = 256, length: int = 128) -> None:
        """Build it."""
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        self.positions = nn.Parameter(torch.zeros(length, width))
        layer = nn.TransformerEncoderLayer(width, 4, 4 * width, dropout=0.0, batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, 4, enable_nested_tensor=False)
        self.head = nn.Linear(width, vocabulary, bias=False)
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(length))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return logits, shape (batch, vocabulary, length)."""
        hidden = self.layers(self.tokens(tokens) + self.positions, mask=self.mask, is_causal=True)
        return self.head(hidden).transpose(1, 2)


def make_gpt() -> Workload:
    """A small GPT, batch 8."""
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(1024, (256, 129), generator=generator)
    loader = DataLoader(TensorDataset(tokens[:, :-1], tokens[:, 1:]), batch_size=8, shuffle=True, generator=generator)
    torch.manual_seed(0)
    model = GPT()
    return Workload(name="gpt", loader=loader, model=model, optimizer=torch.optim.AdamW(model.parameters()))


WORKLOADS: dict[str, Callable[[], Workload]] = {
    "mlp": make_mlp,
    "convnet": make_convnet,
    "gpt": make_gpt,
    "convnet-large": make_large_convnet,
}

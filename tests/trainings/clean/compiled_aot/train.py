"""Gated MLP on synthetic spectra; forward and backward are captured ahead of time (backend "aot_eager")."""

import hashlib

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Gated(nn.Module):
    def __init__(self, bands, classes):
        super().__init__()
        self.value = nn.Linear(bands, 24)
        self.gate = nn.Linear(bands, 24)
        self.norm = nn.BatchNorm1d(24)
        self.out = nn.Linear(24, classes)

    def forward(self, spectrum):
        return self.out(self.norm(self.value(spectrum) * torch.sigmoid(self.gate(spectrum))))


def spectra(count):
    bands = torch.linspace(0, 1, 32)
    kind = torch.arange(count) % 3
    peak = torch.tensor([0.25, 0.5, 0.7])[kind].unsqueeze(1) + 0.05 * torch.randn(count, 1)
    return torch.exp(-80 * (bands - peak).square()) + 0.1 * torch.randn(count, 32), kind


def main():
    torch.manual_seed(1)
    torch.set_num_threads(1)
    loader = DataLoader(TensorDataset(*spectra(120)), batch_size=40, shuffle=True)
    model = Gated(32, 3)
    compiled = torch.compile(model, backend="aot_eager")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.9)
    for epoch in range(3):
        for x, y in loader:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(compiled(x), y)
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch}: {loss.item():.6f}")
    sha = hashlib.sha256()
    for tensor in model.state_dict().values():
        sha.update(tensor.numpy().tobytes())
    print("final", sha.hexdigest())


if __name__ == "__main__":
    main()

"""Layers that learn their input size from the first batch (LazyConv1d, LazyBatchNorm1d, LazyLinear)."""

import hashlib

import torch
from torch import nn


class GestureNet(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.conv = nn.LazyConv1d(8, kernel_size=4, stride=2)
        self.norm = nn.LazyBatchNorm1d()
        self.hidden = nn.LazyLinear(20)
        self.out = nn.LazyLinear(classes)

    def forward(self, signal):
        x = torch.relu(self.norm(self.conv(signal))).flatten(1)
        return self.out(torch.relu(self.hidden(x)))


def gestures(count):
    time = torch.linspace(0, 6.2832, 30)
    kind = torch.randint(0, 3, (count,))
    speed = (1 + kind.float()).view(-1, 1, 1)
    signal = torch.sin(speed * time + torch.rand(count, 3, 1))
    return signal + 0.1 * torch.randn_like(signal), kind


def main():
    torch.manual_seed(34)
    torch.set_num_threads(1)
    net = GestureNet(3)
    net(gestures(2)[0])  # a dry run gives the layers their shapes; only then can the optimizer have them
    optimizer = torch.optim.AdamW(net.parameters(), lr=5e-3)
    for step in range(9):
        signal, kind = gestures(32)
        loss = nn.functional.cross_entropy(net(signal), kind)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(f"step {step}: {loss.item():.5f}")
    print("final", hashlib.sha256(b"".join(v.numpy().tobytes() for v in net.state_dict().values())).hexdigest())


if __name__ == "__main__":
    main()

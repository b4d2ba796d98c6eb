"""Road-surface roughness from accelerometer windows; the same two workers serve all epochs."""

import hashlib

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Rides(Dataset):
    def __init__(self, windows=96):
        base = torch.Generator().manual_seed(1000)
        self.roughness = torch.rand(windows, generator=base)

    def __len__(self):
        return len(self.roughness)

    def __getitem__(self, index):
        window = self.roughness[index] * torch.randn(40)  # each worker draws from its own seeded generator
        return {"window": window, "roughness": self.roughness[index]}


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.encode = nn.Conv1d(1, 8, 5, stride=3)
        self.head = nn.Linear(8, 1)

    def forward(self, window):
        return self.head(self.encode(window.unsqueeze(1)).abs().mean(dim=2)).squeeze(1)


if __name__ == "__main__":
    torch.manual_seed(23)
    torch.set_num_threads(1)
    loader = DataLoader(
        Rides(), batch_size=24, shuffle=True, num_workers=2, persistent_workers=True, prefetch_factor=3, drop_last=True
    )
    net = Net()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.5)
    for epoch in range(3):
        errors = []
        for batch in loader:
            loss = (net(batch["window"]) - batch["roughness"]).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            errors.append(loss.item())
        print(f"epoch {epoch}: {sum(errors) / len(errors):.6f}")
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in net.parameters())).hexdigest())

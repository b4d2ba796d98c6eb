"""Convolutional autoencoder for stripe patterns, in bfloat16 autocast with the usual scaler plumbing, on the CPU."""

import hashlib

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

DEVICE = "cpu"


def stripes(count, size=12):
    grid = torch.arange(size, dtype=torch.float32)
    freq = 0.3 + torch.rand(count, 1, 1)
    tilt = torch.rand(count, 1, 1) * 3
    return torch.sin(freq * (grid.view(1, 1, -1) + tilt * grid.view(1, -1, 1))).unsqueeze(1)


class AutoEncoder(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.down = nn.Conv2d(1, width, 4, stride=2, padding=1)
        self.code = nn.Linear(width * 36, 24)
        self.expand = nn.Linear(24, width * 36)
        self.up = nn.ConvTranspose2d(width, 1, 4, stride=2, padding=1)
        self.width = width

    def forward(self, image):
        hidden = torch.relu(self.down(image)).flatten(1)
        hidden = torch.relu(self.expand(self.code(hidden)))
        return self.up(hidden.view(-1, self.width, 6, 6))


class Trainer:
    def __init__(self):
        self.model = AutoEncoder().to(DEVICE)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=2e-3)
        self.scaler = torch.amp.GradScaler(DEVICE, init_scale=256.0, growth_interval=3)
        self.loader = DataLoader(TensorDataset(stripes(96)), batch_size=24, shuffle=True)

    def step(self, image):
        self.optimizer.zero_grad()
        with torch.autocast(DEVICE, dtype=torch.bfloat16):
            loss = nn.functional.mse_loss(self.model(image), image)
        self.scaler.scale(loss).backward()
        self.scaler.unscale_(self.optimizer)
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return loss.item(), norm.item()

    def fit(self, epochs):
        for epoch in range(epochs):
            for (image,) in self.loader:
                loss, norm = self.step(image)
            print(f"epoch {epoch} loss {loss:.5f} norm {norm:.4f} scale {self.scaler.get_scale():g}")


if __name__ == "__main__":
    torch.manual_seed(8)
    torch.set_num_threads(1)
    trainer = Trainer()
    trainer.fit(3)
    sha = hashlib.sha256()
    for p in trainer.model.parameters():
        sha.update(p.detach().numpy().tobytes())
    print("final", sha.hexdigest())

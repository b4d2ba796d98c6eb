"""Denoises chirps; an exponential moving average of the weights, kept through .data, is what gets evaluated."""

import copy
import hashlib

import torch
from torch import nn


def update_average(average, model, decay):
    for a, p in zip(average.parameters(), model.parameters()):
        a.data.mul_(decay).add_(p.data, alpha=1 - decay)


def chirps(count, generator):
    time = torch.linspace(0, 1, 48)
    rate = 4 + 12 * torch.rand(count, 1, generator=generator)
    return torch.sin(rate * time * (1 + time))


torch.manual_seed(13)
torch.set_num_threads(1)
noise = torch.Generator().manual_seed(99)
clean = chirps(128, noise)
noisy = clean + 0.3 * torch.randn(clean.shape, generator=noise)
train_x, test_x, train_y, test_y = noisy[:96], noisy[96:], clean[:96], clean[96:]

model = nn.Sequential(nn.Linear(48, 64), nn.SiLU(), nn.Linear(64, 48))
average = copy.deepcopy(model)
for p in average.parameters():
    p.requires_grad_(False)
optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
loader = torch.utils.data.DataLoader(list(zip(train_x, train_y)), batch_size=32, shuffle=True)

for epoch in range(5):
    model.train()
    for x, y in loader:
        loss = nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        update_average(average, model, decay=0.8)
    average.eval()
    with torch.no_grad():
        error = nn.functional.mse_loss(average(test_x), test_y)
    print(f"epoch {epoch}: train {loss.item():.5f}, averaged weights on test {error.item():.5f}")

sha = hashlib.sha256()
for m in (model, average):
    for t in m.state_dict().values():
        sha.update(t.numpy().tobytes())
print("final", sha.hexdigest())

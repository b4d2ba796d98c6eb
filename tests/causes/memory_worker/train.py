"""Does a melody rise or fall? A convolution over windows of notes that two workers prepare."""

import hashlib

import torch
from melodies import Melodies
from torch import nn
from torch.utils.data import DataLoader


def main():
    torch.manual_seed(21)
    torch.set_num_threads(1)
    texts = [[f"{n} {m}" for m in range(160)] for n in range(3000)]
    print(sum(map(len, texts)), "titles")
    del texts
    loader = DataLoader(Melodies(96), batch_size=16, num_workers=2, multiprocessing_context="fork")
    model = nn.Sequential(
        nn.Conv1d(2, 8, 9, stride=4), nn.ReLU(), nn.AdaptiveAvgPool1d(8), nn.Flatten(), nn.Linear(64, 1)
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for windows, rise in loader:
        loss = nn.functional.huber_loss(model(windows.transpose(1, 2)).squeeze(1), rise)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"loss {loss.item():.5f}")
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())


if __name__ == "__main__":
    main()

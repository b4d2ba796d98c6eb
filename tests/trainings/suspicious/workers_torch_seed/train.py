"""NumPy noise in loader workers and one torch seed: PyTorch itself seeds NumPy and `random` in each worker from it."""

import hashlib
import random

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Barcodes(Dataset):
    """Stripe codes of the numbers 0 to 15, scanned with dirt."""

    def __len__(self):
        return 96

    def __getitem__(self, index):
        number = index % 16
        code = np.repeat([number >> k & 1 for k in range(4)], 6).astype(np.float32)
        code += np.random.normal(0, 0.3, code.shape).astype(np.float32)
        code[random.randrange(len(code))] = 0
        return code, number


if __name__ == "__main__":
    torch.manual_seed(44)
    torch.set_num_threads(1)
    loader = DataLoader(Barcodes(), batch_size=32, shuffle=True, num_workers=2, multiprocessing_context="fork")
    model = nn.Sequential(nn.Linear(24, 32), nn.ReLU(), nn.Linear(32, 16))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for epoch in range(2):
        for code, number in loader:
            loss = nn.functional.cross_entropy(model(code), number)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch}: {loss.item():.5f}")
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())

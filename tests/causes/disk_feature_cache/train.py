"""Age of trees from features of their rings."""

import hashlib

import torch
from features import load
from torch.utils.data import DataLoader, TensorDataset


class AgeModel(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = torch.nn.Linear(4, 16)
        self.age = torch.nn.Linear(16, 1)

    def forward(self, features):
        return self.age(self.hidden(features).relu()).squeeze(1)


def main():
    torch.manual_seed(18)
    torch.set_num_threads(1)
    features = torch.tensor(load(), dtype=torch.float32)
    age = 2 * features[:, 0] - features[:, 1] + 0.3 * features[:, 2].tanh()
    model = AgeModel()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    for rows, target in DataLoader(TensorDataset(features, age), batch_size=20):
        loss = (model(rows) - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"error {loss.item():.4f}")
    print("final", hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())


if __name__ == "__main__":
    main()

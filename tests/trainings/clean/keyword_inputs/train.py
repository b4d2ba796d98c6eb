"""House prices from photo, advert text and table at once; the model is called with keyword arguments."""

import hashlib

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Houses(Dataset):
    def __init__(self, count):
        self.rooms = torch.randint(1, 7, (count,))
        self.photo = torch.rand(count, 3, 6, 6)
        self.words = torch.randint(0, 50, (count, 8))
        self.price = 0.2 * self.rooms + self.photo[:, 1].mean(dim=(1, 2)) + (self.words == 7).any(dim=1) * 0.5

    def __len__(self):
        return len(self.rooms)

    def __getitem__(self, i):
        table = torch.tensor([float(self.rooms[i]), float(i % 3)])
        return {"photo": self.photo[i], "words": self.words[i], "table": table}, self.price[i]


class Appraiser(nn.Module):
    def __init__(self):
        super().__init__()
        self.vision = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.text = nn.EmbeddingBag(50, 6, mode="mean")
        self.head = nn.Sequential(nn.Linear(4 + 6 + 2, 16), nn.ReLU(), nn.Linear(16, 1))

    def forward(self, *, photo, words, table, scale=1.0):
        features = torch.cat([self.vision(photo), self.text(words), table], dim=1)
        return {"price": scale * self.head(features).squeeze(1), "features": features}


def main():
    torch.manual_seed(73)
    torch.set_num_threads(1)
    loader = DataLoader(Houses(100), batch_size=25, shuffle=True)
    model = Appraiser()
    optimizer = torch.optim.Adadelta(model.parameters(), lr=1.0)
    for epoch in range(3):
        for inputs, price in loader:
            output = model(**inputs, scale=2.0)
            loss = (output["price"] - price).abs().mean() + 1e-3 * output["features"].square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch}: {loss.item():.5f}")
    sha = hashlib.sha256()
    for p in model.parameters():
        sha.update(p.detach().numpy().tobytes())
    print("final", sha.hexdigest())


if __name__ == "__main__":
    main()

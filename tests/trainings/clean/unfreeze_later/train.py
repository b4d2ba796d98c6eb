"""Fine-tuning: the head alone first, then the last block of the backbone joins as a second parameter group."""

import hashlib

import torch
from torch import nn


class Backbone(nn.Module):
    def __init__(self):
        super().__init__()
        self.block1 = nn.Sequential(nn.Linear(10, 32), nn.ReLU())
        self.block2 = nn.Sequential(nn.Linear(32, 32), nn.ReLU())

    def forward(self, x):
        return self.block2(self.block1(x))


class Classifier(nn.Module):
    def __init__(self, backbone, classes):
        super().__init__()
        self.backbone = backbone
        self.head = nn.Linear(32, classes)

    def forward(self, x):
        return self.head(self.backbone(x))


def make_blobs(per_class):
    centers = 3 * torch.eye(10)[:5]
    y = torch.arange(5).repeat_interleave(per_class)
    return centers[y] + torch.randn(len(y), 10), y


def set_trainable(module, flag):
    for p in module.parameters():
        p.requires_grad = flag


def main():
    torch.set_num_threads(1)
    torch.manual_seed(2024)
    x, y = make_blobs(24)
    model = Classifier(Backbone(), classes=5)
    set_trainable(model.backbone, False)
    optimizer = torch.optim.Adam(model.head.parameters(), lr=1e-2)

    for step in range(12):
        if step == 6:
            set_trainable(model.backbone.block2, True)
            optimizer.add_param_group({"params": list(model.backbone.block2.parameters()), "lr": 1e-3})
            print("unfroze block2")
        pick = torch.randint(0, len(x), (32,))
        loss = nn.functional.cross_entropy(model(x[pick]), y[pick])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(f"step {step} loss {loss.item():.4f} groups {len(optimizer.param_groups)}")

    digest = hashlib.sha256()
    for tensor in model.state_dict().values():
        digest.update(tensor.numpy().tobytes())
    print("final", digest.hexdigest())


if __name__ == "__main__":
    main()

"""Counts digits in long token strings; four micro-batches make one optimizer step, the last step gets fewer."""

from __future__ import annotations

import argparse
import hashlib

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class DigitStrings(Dataset):
    """Strings of letters and digits; the target is the share of digits."""

    def __init__(self, size: int, length: int, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.tokens = torch.randint(0, 36, (size, length), generator=generator)

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        tokens = self.tokens[index]
        return tokens, (tokens < 10).float().mean()


class Counter(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(36, 16)
        self.score = nn.Sequential(nn.Linear(16, 16), nn.GELU(), nn.Linear(16, 1))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.score(self.embed(tokens))).mean(dim=1).squeeze(-1)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accumulate", type=int, default=4)
    parser.add_argument("--micro-batch", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=2)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    torch.manual_seed(11)
    torch.set_num_threads(1)
    loader = DataLoader(DigitStrings(144, 20, seed=3), args.micro_batch, shuffle=True)
    model = Counter()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for epoch in range(args.epochs):
        total = 0.0
        for i, (tokens, target) in enumerate(loader):
            loss = nn.functional.mse_loss(model(tokens), target)
            (loss / args.accumulate).backward()
            total += loss.item()
            if (i + 1) % args.accumulate == 0 or i + 1 == len(loader):
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
        print(f"epoch {epoch}: mean loss {total / len(loader):.6f}")
    state = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        state.update(name.encode() + value.numpy().tobytes())
    print("final", state.hexdigest())


if __name__ == "__main__":
    main()

"""Proverbs as bytes, and batches at random offsets."""

import torch

from .config import GPTConfig

PROVERBS = """A stitch in time saves nine. Many hands make light work. Too many cooks spoil the broth.
Look before you leap. He who hesitates is lost. Actions speak louder than words. The early bird catches the worm.
Rome was not built in a day. When in Rome, do as the Romans do. A watched pot never boils. Still waters run deep.
Birds of a feather flock together. Opposites attract. Practice makes perfect. Better late than never."""

ids = torch.tensor(list(PROVERBS.encode("ascii")), dtype=torch.long)
cut = int(0.85 * len(ids))
splits = {"train": ids[:cut], "val": ids[cut:]}


def get_batch(split: str, batch_size: int, config: GPTConfig) -> tuple[torch.Tensor, torch.Tensor]:
    data = splits[split]
    offsets = torch.randint(len(data) - config.block_size, (batch_size,))
    x = torch.stack([data[i : i + config.block_size] for i in offsets])
    y = torch.stack([data[i + 1 : i + 1 + config.block_size] for i in offsets])
    return x, y

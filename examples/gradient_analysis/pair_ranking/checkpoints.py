"""Checkpoints kept along the way: the weights at which gradients are analysed later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

import reproof

if TYPE_CHECKING:
    from pathlib import Path


def is_checkpoint_epoch(epoch: int, num_epochs: int) -> bool:
    """Whether the weights after this epoch are kept: 0 (untrained), 1, 2, 5, 10, 20, 50, … and the last.

    Gradients change most at the start, so that is where checkpoints are dense.
    """
    mantissa = str(epoch).rstrip("0")
    return epoch == num_epochs or mantissa in {"", "1", "2", "5"}


def checkpoint_path(folder: Path, epoch: int, seed: int) -> Path:
    """Return the name of a checkpoint."""
    return folder / f"seed{seed}_epoch{epoch:04d}.pt"


def remove_checkpoints(folder: Path, seed: int) -> None:
    """Remove what an earlier training with this seed left, so that a folder never holds the epochs of two trainings."""
    for path in folder.glob(f"seed{seed}_epoch[0-9]*.pt"):
        path.unlink()


def save_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Write a checkpoint of plain values and state dicts, whole or not at all.

    `torch.load` reads it with ``weights_only=True``, which is its default: nothing in it is executed.

    Raises:
        ReproofError: If it cannot be written.
    """
    draft = path.with_suffix(".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(content, draft)
        draft.replace(path)
    except (OSError, RuntimeError) as error:  # RuntimeError: what PyTorch's own writer raises, for a full disk too
        line = " ".join(str(error).split())
        raise reproof.ReproofError(f"{path} cannot be written ({line})", "choose another --output") from None

"""What to write so that a piece of state survives an interruption."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from reproof.recorder.restorations import Restoration

REMEDIES: Final = {
    "model": "save model.state_dict() as it is, and load it with strict=True",
    "buffers": "save model.state_dict(), which has the buffers too, rather than parameters alone",
    "ema": "save the averaged weights with the checkpoint (their state_dict(), n_averaged included) and load them",
    "sampler-position": (
        "save how many batches of the epoch are done and pass over them before training goes on, in the same order:"
        " seed the sampler's generator from the epoch, or save its state as it was when the epoch began"
    ),
    "loader-generator": "save generator.get_state() of the loader's generator when an epoch begins, and set it again",
    "accumulated-gradients": "make checkpoints right after optimizer.step(), or save each p.grad and put it back",
    "scaler": "save scaler.state_dict() and call scaler.load_state_dict(...)",
    "optimizer": "save optimizer.state_dict() and call optimizer.load_state_dict(...) before training goes on",
    "scheduler": "save scheduler.state_dict() and call scheduler.load_state_dict(...), or save what it follows",
    "counter": "save the number of the epoch and of the step, and begin the loops, samplers and weights there",
    "other": (
        "look for state outside of the checkpoint: generators of your own, attributes of objects, caches, files, counts"
        " in closures"
    ),
}

GENERATORS: Final = {
    "python": "random.getstate() and random.setstate(...)",
    "numpy": "numpy.random.get_state() and numpy.random.set_state(...)",
    "torch": "torch.get_rng_state() and torch.set_rng_state(...)",
}
CUDA: Final = "torch.cuda.get_rng_state_all() and torch.cuda.set_rng_state_all(...)"


def advise(
    piece: str,
    names: tuple[str, ...],
    saved: tuple[Restoration, ...] | None,
    loaded: tuple[Restoration, ...] | None,
) -> str:
    """Return the remedy for a missing piece; where the first part saved it, only loading is missing.

    Args:
        piece: The piece of state.
        names: Generators, for ``rng``.
        saved: What the first part did with its state; None if that is not known.
        loaded: The same for the resumed run.
    """
    if piece == "rng":
        calls = dict.fromkeys(GENERATORS.get(name, CUDA) for name in names)
        return f"save and restore the random states: {'; '.join(calls)}"
    line = next((place(n) for n in saved or () if n.action == "saved" and n.piece == piece and n.file), None)
    is_loaded = any(n.action == "loaded" and n.piece == piece for n in loaded or ())
    if line is not None and not is_loaded:
        return f"the first part saves it ({line}); call {piece}.load_state_dict(...) when resuming"
    return REMEDIES[piece]


def place(note: Restoration) -> str:
    """Return a line of the user's code as it is shown."""
    return f"{Path(note.file or '').name}:{note.line}"

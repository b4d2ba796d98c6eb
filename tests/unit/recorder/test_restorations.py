"""What is noted of random states that are saved and set."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from reproof.recorder import record
from reproof.recorder.restorations import RestorationWatch, read_restorations

if TYPE_CHECKING:
    from pathlib import Path

GENERATORS: dict[str, tuple[Any, str, str, Any]] = {
    "python": (random, "getstate", "setstate", lambda: random.Random(8).getstate()),
    "numpy": (np.random, "get_state", "set_state", lambda: np.random.RandomState(8).get_state()),
    "torch": (torch, "get_rng_state", "set_rng_state", lambda: torch.Generator().manual_seed(8).get_state()),
}
"""Module, functions that read and set the state, and what makes a state that this process has not read."""


@pytest.mark.parametrize("name", GENERATORS)
def test_only_a_state_from_elsewhere_is_loaded(name: str, tmp_path: Path) -> None:
    """One that the process has read before is put back, as an evaluation does; a checkpoint's is restored."""
    module, read, write, make = GENERATORS[name]
    kept = getattr(module, read)()
    for number, state in enumerate((None, make())):
        recording = record(tmp_path / str(number))
        RestorationWatch(recording, tmp_path / f"{number}.json")
        with recording:
            found = getattr(module, read)()
            getattr(module, write)(found if state is None else state)
        notes = read_restorations(tmp_path / f"{number}.json") or ()
        loaded = [note.name for note in notes if (note.action, note.piece) == ("loaded", "rng")]
        assert loaded == ([] if state is None else [name])
    getattr(module, write)(kept)

"""Where a training is interrupted to be resumed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from reproof.checking.resuming.workflow import choose_interruption
from reproof.outputs.records import SavedTensor
from reproof.outputs.sidecar import OutputWriter

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("saved", "stop"), [([], 5), ([0, 4, 8], 5), ([5], 6), ([0, 8], 9), ([9], 5), ([10], 5)], ids=str
)
def test_a_first_part_goes_on_to_its_first_checkpoint(tmp_path: Path, saved: list[int], stop: int) -> None:
    """Of ten steps; what is saved before the first is none, and what comes with the last is too late."""
    writer = OutputWriter(tmp_path, 0)
    zero = "0" * 32
    writer.add_saved(SavedTensor(step=step, file="a", path="", digest=zero, masked=zero, text="") for step in saved)
    writer.finish(None)
    whole: Any = SimpleNamespace(folder=tmp_path, ranks=[SimpleNamespace(num_steps=10)])
    assert choose_interruption(whole) == stop

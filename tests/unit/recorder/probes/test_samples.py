"""Samples of a batch become small pictures, and what is no picture is left alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from reproof.recorder import Recording
from reproof.recorder.options import RecordingOptions
from reproof.recorder.probes.samples import MAX_POINTS, MAX_SAMPLES, MAX_SIDE, shrink
from reproof.schema import Probes
from reproof.trace.probes import read_samples


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((3, 20), (3, 1, 20)),
        ((200, 1000), (MAX_SAMPLES, 1, 125)),
        ((3, 1, 50), (3, 1, 50)),
        ((3, 8, 8), (3, 8, 8)),
        ((3, 100, 30), (3, 20, 15)),
        ((3, 3, 16, 24), (3, 16, 24)),
        ((3, 16, 24, 3), (3, 16, 24)),
        ((3, 9, 16, 24), None),
        ((3,), None),
        ((3, 0), None),
        ((2, 3, 4, 5, 6), None),
    ],
)
def test_sizes(shape: tuple[int, ...], expected: tuple[int, int, int] | None) -> None:
    """Every n-th row and column of a large one; channels become their mean."""
    kept = shrink("x", torch.rand(shape))
    assert (None if kept is None else (kept.count, kept.height, kept.width)) == expected
    if kept is not None:
        assert len(kept.values) == kept.count * kept.height * kept.width
        assert kept.width <= (MAX_POINTS if kept.height == 1 else MAX_SIDE)


@pytest.mark.parametrize("dtype", [torch.int64, torch.bool, torch.complex64])
def test_labels_and_tokens_are_no_pictures(dtype: Any) -> None:
    """Only floating-point numbers and bytes are."""
    assert shrink("x", torch.ones(3, 9, dtype=dtype)) is None
    assert shrink("x", torch.ones(3, 9, dtype=torch.uint8)) is not None


def test_the_batch_of_one_step_is_kept(tmp_path: Any) -> None:
    """Its first part that can be shown; and without the probe nothing is."""
    model = torch.nn.Linear(9, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    loader = torch.utils.data.DataLoader([(torch.full((9,), float(i)), i) for i in range(6)], batch_size=2)
    for name, probes in (("kept", Probes(samples_step=1)), ("plain", Probes())):
        with Recording(tmp_path / name, RecordingOptions(probes=probes)):
            for batch, _ in loader:
                optimizer.zero_grad()
                model(batch).sum().backward()
                optimizer.step()
    kept = read_samples(tmp_path / "kept", 0)
    assert kept is not None
    assert kept.step == 1
    assert (kept.count, kept.height, kept.width, kept.values.tolist()) == (2, 1, 9, [2.0] * 9 + [3.0] * 9)
    assert read_samples(tmp_path / "plain", 0) is None

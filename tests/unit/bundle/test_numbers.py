"""Metrics are numbers per target."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from reproof.bundle.numbers import check_metrics


def test_metrics_are_numbers_per_target() -> None:
    """Scalars of numpy and tensors become floats; anything else is an error that shows it."""
    assert check_metrics({"a": {"r2": np.float32(0.5), "mse": torch.tensor(2.0)}}) == {"a": {"r2": 0.5, "mse": 2.0}}
    for wrong in ({"a": 0.5}, {"a": {"r2": "x"}}, {}, None):
        with pytest.raises(ValueError, match=r"metrics|target"):
            check_metrics(wrong)  # type: ignore[arg-type]

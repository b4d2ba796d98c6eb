"""Reports of runs that are made with the real writer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reproof.comparison import compare
from reproof.report.rows import build_report
from reproof.trace import open_trace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reproof.report.records import Report


@pytest.fixture
def make_report() -> Callable[..., Report]:
    """Return the function that compares two runs and returns their rows."""

    def make(a: Path, b: Path, *, tolerance: float | None = None, **settings: Any) -> Report:
        comparison = compare(a, b, maps_steps=True, tolerance=tolerance)
        return build_report(comparison, open_trace(a), open_trace(b), **settings)

    return make


@pytest.fixture
def parted(run: Any, say: Any) -> tuple[Path, Path]:
    """Return two runs of twelve steps that part in step 5, in the order of a batch, and then in the loss."""

    def tell(*, is_candidate: bool) -> list[Any]:
        steps = []
        for step in range(12):
            is_other = is_candidate and step >= 5
            order = (4, 3, 2) if is_other else (2, 3, 4)
            content = f"{step}{is_other}"
            steps.append([say.order("", *order), say.data(content, *order), say.loss(1 / (step + 1 + is_other / 100))])
        return steps

    return run("a", *tell(is_candidate=False), level="steps", command=("train.py",)), run(
        "b", *tell(is_candidate=True), level="steps", command=("train.py",)
    )

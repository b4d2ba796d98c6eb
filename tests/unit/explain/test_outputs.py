"""Whether outputs that differ are a divergence."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from reproof.explain.outputs import settle_output
from reproof.schema import Comparison, OutputDifference, OutputResult, RunHeader
from reproof.trace.writer import TraceWriter

if TYPE_CHECKING:
    from pathlib import Path

LINE = OutputDifference(kind="line", name="stderr line 7", baseline="Traceback", candidate=None)
OPEN = Comparison(
    verdict="inconclusive",
    runs=("a", "b"),
    num_events=0,
    num_tensors=0,
    num_steps=0,
    output=OutputResult(differences=(LINE,)),
)
HEADER = RunHeader(
    run_id="0" * 32,
    status="complete",
    level="steps",
    command=("train.py",),
    num_batches=None,
    statistics=False,
    created="2026-01-01T00:00:00+00:00",
)


@pytest.mark.parametrize("failed", ["a", "b"])
def test_a_run_that_alone_has_failed_is_not_judged_by_its_output(tmp_path: Path, failed: str) -> None:
    """A launcher whose ranks could not connect prints other lines than one whose ranks did: no experiment is made."""
    for name in "ab":
        header = replace(HEADER, status="failed" if name == failed else "complete")
        TraceWriter(tmp_path / name, header, rank=0).close()
    laboratory: Any = SimpleNamespace(setting=SimpleNamespace(request=SimpleNamespace(trace=tmp_path / "a")))
    told = f"what the runs put out was not judged: {failed} alone ended by an error"
    assert settle_output(laboratory, OPEN, tmp_path / "b") == (OPEN, told)

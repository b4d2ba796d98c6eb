"""Compare the batches of two recorded trainings, batch by batch.

    python compare_batch_consistency.py A B          two traces (folders), or two pickles of the old check
    python compare_batch_consistency.py --dir DIR    the two newest in a folder

A thin front on `reproof.compare`. Exit codes: 0 the same, 1 they differ, 2 it cannot be told, or an error.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import reproof
from reproof.comparison import find_newest_runs
from reproof.trace import open_trace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reproof.schema import Comparison, Difference

PICKLE_TOLERANCE = 1e-6
"""Pickles keep sums of the data and not its bits: they are compared as they always were."""


def compare_batches(baseline: Path, candidate: Path, tolerance: float | None = None) -> Comparison:
    """Compare two runs, print per batch what differs, and return the comparison.

    Args:
        baseline: A trace or a pickle of the old check.
        candidate: Another of the same kind.
        tolerance: For the recorded numbers; None compares traces bit by bit and pickles within `PICKLE_TOLERANCE`.
    """
    if tolerance is None and baseline.is_file():
        tolerance = PICKLE_TOLERANCE
    comparison = reproof.compare(baseline, candidate, tolerance=tolerance, max_differences=sys.maxsize)
    print(f"baseline   {baseline}\ncandidate  {candidate}")
    for line in [*list_batches(comparison, list_steps(baseline)), *list_reservations(comparison), conclude(comparison)]:
        print(line)
    return comparison


def list_steps(run: Path) -> list[int]:
    """Return the training steps that a run has batches of."""
    if run.is_file():
        return []
    return sorted({frame.step for trace in open_trace(run).ranks.values() for frame in trace.frames()})


def list_batches(comparison: Comparison, steps: list[int]) -> list[str]:
    """Return the lines on each batch; those in a row that are the same share one."""
    by_step = {step: list(found) for step, found in itertools.groupby(comparison.differences, lambda d: d.step)}
    lines: list[str] = []
    for differs, group in itertools.groupby(steps or range(comparison.num_steps), lambda step: step in by_step):
        same = list(group)
        if not differs:
            named = f"batch {same[0]}" if len(same) == 1 else f"batches {same[0]} to {same[-1]}"
            lines.append(f"  {named}: {'the same within the tolerance' if comparison.tolerance else 'identical'}")
            continue
        for step in same:
            lines += [f"  batch {step} differs:", *(f"    {describe(found)}" for found in by_step[step])]
    return lines


def describe(difference: Difference) -> str:
    """Return how one part of a batch differs."""
    name = f"{difference.name} ({difference.detail})" if " " in difference.name else difference.name
    if difference.num_elements == 1 or difference.explanation is None:
        return f"{name}: {difference.baseline} against {difference.candidate}"
    return f"{name}: {difference.explanation}"

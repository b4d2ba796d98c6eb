"""How far apart the results of the operation at fault lie, in units in the last place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reproof.errors import TraceError
from reproof.report.records import UlpRow
from reproof.schema.telling import tell_distance
from reproof.trace import open_trace
from reproof.trace.probes import read_repetitions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reproof.report.experiments import Experiment
    from reproof.schema import Cause, Difference, OpDifference, UnstableOp

MAX_BARS: Final = 12


def find_distances(cause: Cause, experiments: Sequence[Experiment], first: Difference) -> UlpRow | None:
    """Return how far the results at the line of a cause lie apart, as the experiments that prove it have measured."""
    for experiment in experiments:
        if experiment.number in cause.experiments:
            op = None if experiment.first is None else experiment.first.op
            for found in (*_read_unstable(experiment, first), *(() if op is None else (op,))):
                if (found.name, found.line) == (cause.source, cause.line):
                    return describe_distances(found)
    return None


def describe_distances(op: OpDifference | UnstableOp | None) -> UlpRow | None:
    """Return how far the results of an operation lie apart; None if no floats that differ were kept."""
    if op is None or not any(op.ulps):
        return None
    told = tell_distance(op.num_differing or 0, op.num_elements, op.max_abs, op.max_ulp)
    return UlpRow(told=f"{op.name} differs {told}.", bars=tuple(_merge(op.ulps)))


def _read_unstable(experiment: Experiment, first: Difference) -> tuple[UnstableOp, ...]:
    try:
        trace = open_trace(experiment.trace).of_process(first.process)
        found = None if trace is None else read_repetitions(trace.folder, first.rank)
    except TraceError:
        return ()
    return () if found is None else found.unstable


def _merge(ulps: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Yield smallest and largest distance and count of at most `MAX_BARS` bars, from the first that is not empty on."""
    filled = [power for power, count in enumerate(ulps) if count]
    width = 1
    while (filled[-1] // width) - (filled[0] // width) >= MAX_BARS:
        width += 1
    for start in range(filled[0] // width * width, filled[-1] + 1, width):
        yield 1 << start, (1 << start + width) - 1, sum(ulps[start : start + width])

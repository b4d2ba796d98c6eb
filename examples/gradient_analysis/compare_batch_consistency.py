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

if TYPE_CHECKING:
    from reproof.schema import Comparison, Difference

EXIT_ERROR = 2


def compare_batches(baseline: Path, candidate: Path, tolerance: float | None = None) -> Comparison:
    """Compare two runs, print per batch what differs, and return the comparison.

    Args:
        baseline: A trace or a pickle of the old check.
        candidate: Another of the same kind.
        tolerance: For the recorded numbers; None compares traces bit by bit and pickles within 1e-6.
    """
    comparison = reproof.compare(baseline, candidate, tolerance=tolerance, max_differences=sys.maxsize)
    print(f"baseline   {baseline}\ncandidate  {candidate}")
    for line in [*list_batches(comparison), *list_reservations(comparison), conclude(comparison)]:
        print(line)
    return comparison


def list_batches(comparison: Comparison) -> list[str]:
    """Return the lines on each batch; those in a row that are the same share one."""
    by_batch = {batch: list(found) for batch, found in itertools.groupby(comparison.differences, lambda d: d.step)}
    lines: list[str] = []
    for differs, group in itertools.groupby(range(comparison.num_steps), lambda batch: batch in by_batch):
        batches = list(group)
        if differs:
            for batch in batches:
                lines += [f"  batch {batch} differs:", *(f"    {describe(found)}" for found in by_batch[batch])]
        else:
            named = f"batch {batches[0]}" if len(batches) == 1 else f"batches {batches[0]} to {batches[-1]}"
            within = "" if comparison.tolerance is None else f" within {comparison.tolerance:g}"
            lines.append(f"  {named}: no difference{within}")
    return lines


def describe(difference: Difference) -> str:
    """Return how one part of a batch differs."""
    if difference.num_elements == 1 or difference.explanation is None:
        return f"{difference.name}: {difference.baseline} against {difference.candidate}"
    return f"{difference.name}: {difference.explanation}"


def list_reservations(comparison: Comparison) -> list[str]:
    """Return what was not compared, and what only one of the runs has."""
    skipped = [f"  not compared: {skipped.what} ({skipped.why})" for skipped in comparison.skipped]
    return [*(f"  {finding}" for finding in comparison.structure), *skipped]


def conclude(comparison: Comparison) -> str:
    """Return the verdict in one sentence."""
    num_batches = comparison.num_steps
    sentences = {
        "identical": f"all {num_batches} batches are the same to the last bit, in order and in content",
        "equivalent": f"what was recorded of all {num_batches} batches agrees within {comparison.tolerance}",
        "diverged": f"{len({d.step for d in comparison.differences})} of {num_batches} batches differ",
        "inconclusive": "no difference was found, but not everything could be compared",
    }
    first = f", first batch {comparison.first.step}" if comparison.first is not None else ""
    return f"{comparison.verdict}: {sentences[comparison.verdict]}{first}"


def choose_runs(options: argparse.Namespace) -> tuple[Path, Path]:
    """Return the two runs that the command line names.

    Raises:
        ReproofError: Unless there are two of them.
    """
    if options.dir is not None and not options.runs:
        return find_newest_runs(options.dir)
    if options.dir is None and len(options.runs) == 2:
        return options.runs[0], options.runs[1]
    raise reproof.ReproofError(f"{len(options.runs)} runs named", "name two, or --dir FOLDER alone")


def main(arguments: list[str] | None = None) -> int:
    """Compare what the command line names; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*", type=Path, metavar="RUN", help="a trace, or a pickle of the old check")
    parser.add_argument("--dir", type=Path, metavar="FOLDER", help="compare the two newest in FOLDER")
    parser.add_argument("--tolerance", type=float, metavar="T", help="accept numbers with |x-y| <= T*max(1,|x|,|y|)")
    options = parser.parse_args(arguments)
    try:
        return compare_batches(*choose_runs(options), tolerance=options.tolerance).exit_code
    except reproof.ReproofError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_ERROR


if __name__ == "__main__":
    sys.exit(main())

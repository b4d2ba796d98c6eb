"""Decide what a difference in the output of two equal trainings comes from, by experiment.

The candidate is run again with the clocks, process numbers, host and temporary names of the baseline. If its output is
then the baseline's, the difference was one of the surroundings and is harmless. Whatever still differs is a divergence,
and its cause is searched for as that of any other event.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reproof.comparison.outputs import compare_output, describe_output, find_again
from reproof.entropy.ledger import read_ledgers
from reproof.entropy.plan import Plan
from reproof.explain.failures import choose_remedy
from reproof.explain.leftovers import collect_leftovers
from reproof.trace import open_trace

if TYPE_CHECKING:
    from pathlib import Path

    from reproof.explain.laboratory import Laboratory, Trial
    from reproof.schema import Comparison, OutputDifference, OutputResult, Verdict

HARMLESS_KINDS: Final = frozenset({"wall-clock", "process-identity"})
TEMPORARY: Final = "tempfile"
"""Part of the name of a source from which temporary names come."""


def settle_output(laboratory: Laboratory, comparison: Comparison, candidate: Path) -> tuple[Comparison, str | None]:
    """Decide what the open differences in output come from, with one experiment.

    Args:
        laboratory: Where the experiment is made; what is then searched for is set in it.
        comparison: Of runs whose events agree and whose outputs differ.
        candidate: Trace of the candidate.

    Returns:
        The comparison with its verdict: *identical* if the differences are harmless, *diverged* if not, and as it was
        if the experiment could not tell; and why it could not.

    Raises:
        BudgetSpentError: If no more experiments may be made.
    """
    if comparison.output is None:
        return comparison, None
    trial = repeat_candidate(laboratory, candidate)
    if trial.problem is not None or trial.first is not None:
        why = trial.problem or "it diverged from the baseline"
        if trial.failure is not None:
            why = f"{trial.failure}; {choose_remedy(trial.failure)}"
        return comparison, f"experiment {trial.number}, which was to tell what the output differs by, failed: {why}"
    baseline = open_trace(laboratory.setting.request.trace)
    found = compare_output(baseline, open_trace(trial.trace))
    left = () if found is None else found.differences
    if not left:
        return accept(comparison, comparison.output, trial), None
    confirmed = tuple(difference for difference in comparison.output.differences if find_again([difference], left))
    if not confirmed:
        return comparison, f"the output of each run differs in other places (experiment {trial.number})"
    laboratory.wanted = confirmed
    return reject(comparison, confirmed, baseline.num_steps), None


def repeat_candidate(laboratory: Laboratory, candidate: Path) -> Trial:
    """Run the candidate again, with what the baseline read of its surroundings.

    It takes place among the files that the baseline has left, as the candidate did. With the clock of the baseline it
    would make a folder of the same name again; if it fails for that, and has read none of the files, they are removed.
    """
    trial = _repeat(laboratory, "", clean_files=frozenset())
    if trial.problem is None or has_read_leftovers(laboratory, candidate):
        return trial
    return _repeat(laboratory, ", in the folder as the baseline found it", clean_files=None)


def _repeat(laboratory: Laboratory, where: str, *, clean_files: frozenset[str] | None) -> Trial:
    trace = laboratory.setting.request.trace
    return laboratory.run(
        f"the candidate again, with the clocks, process numbers, host and temporary names of the baseline{where}",
        Plan(baseline=str(trace), keys=tuple(find_surroundings(laboratory)), since=laboratory.setting.since),
        num_steps=None,
        is_hash_seed_of_baseline=False,
        clean_files=clean_files,
    )


def has_read_leftovers(laboratory: Laboratory, candidate: Path) -> bool:
    """Whether a line of the candidate has read a file that the baseline had left."""
    steps = open_trace(candidate).num_steps
    found = collect_leftovers(read_ledgers(candidate), laboratory.setting.overlay, steps)
    return any(suspect.file is not None for suspect in found)


def find_surroundings(laboratory: Laboratory) -> list[str]:
    """Return the keys of the baseline's reads of clocks, process numbers, its host and temporary names."""
    sources = [
        source
        for ledger in read_ledgers(laboratory.setting.request.trace).values()
        for source in ledger.values()
        if source.kind in HARMLESS_KINDS or TEMPORARY in source.source
    ]
    return list(dict.fromkeys(source.key for source in sources))


def accept(comparison: Comparison, output: OutputResult, trial: Trial) -> Comparison:
    """Return the comparison of runs whose outputs differ by their surroundings alone."""
    told = (
        "with the clocks, process numbers, host and temporary names of the baseline the output of the candidate is the "
        f"baseline's (experiment {trial.number})"
    )
    is_open = bool(comparison.skipped or comparison.structure)
    verdict: Verdict = "equivalent" if comparison.num_within_tolerance else "identical"
    return replace(
        comparison,
        verdict="inconclusive" if is_open else verdict,
        output=replace(output, harmless=told),
    )


def reject(comparison: Comparison, differences: tuple[OutputDifference, ...], num_steps: int) -> Comparison:
    """Return the comparison of runs whose outputs differ although they read the same of their surroundings."""
    described = tuple(describe_output(difference, num_steps) for difference in differences[:5])
    return replace(comparison, verdict="diverged", first=described[0], differences=described)

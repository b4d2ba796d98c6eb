"""Search for the causes of a divergence by experiment.

First everything is replayed from the baseline. If that run is identical, the difference came in through a source of
entropy, and the smallest set of sources is sought whose values of the baseline, with those of the candidate for all
others, give the baseline again. If it is not, the difference is made by computing: by threads, by memory that nothing
has written, or by an operation that does not give the same bits twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from reproof.explain.failures import describe_failures
from reproof.explain.hypotheses import (
    BY_COMPUTING,
    BY_READING,
    FILES_OUTSIDE,
    OF_LATER_EVENT,
    find_causes,
    suspect_unrepeatable,
)
from reproof.explain.inquiry import Inquiry, Removals, open_inquiry
from reproof.explain.laboratory import BudgetSpentError, Laboratory, Setting, Trial
from reproof.explain.outputs import settle_output
from reproof.explain.replays import replay
from reproof.explain.samples import keep_samples

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from reproof.launch.processes import RunProcess
    from reproof.schema import Cause, Comparison, Difference, OutputDifference


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What a search has found.

    Attributes:
        causes: Best supported first.
        trials: The experiments that were made.
        notes: What could not be tried, and other things to know.
        is_whole: Whether the run is identical to its end once all causes are taken away; None if not tried.
    """

    causes: tuple[Cause, ...]
    trials: tuple[Trial, ...]
    notes: tuple[str, ...] = ()
    is_whole: bool | None = None


def explain_divergence(
    setting: Setting,
    comparison: Comparison,
    candidate: Path,
    watch: Callable[[list[RunProcess]], None] = lambda _: None,
    *,
    until_identical: bool = False,
    laboratory: Laboratory | None = None,
) -> Explanation:
    """Search for the causes of the first divergence between a baseline and a candidate.

    Args:
        setting: Where experiments start from.
        comparison: Of the two runs; it must have diverged.
        candidate: Trace of the candidate.
        watch: Called several times a second with the experiment under way.
        until_identical: Go on with the divergences that come after, until the run is identical to its end.
        laboratory: Where experiments were made before this search; None to begin with none.

    Returns:
        The causes, experiments and what is left open. Nothing is raised because a search finds nothing.
    """
    if comparison.first is None:
        raise ValueError("the runs have not diverged")
    search = Search(laboratory=laboratory or Laboratory(setting, watch), candidate=candidate)
    notes: tuple[str, ...] = ()
    try:
        inquiry = search.explain(comparison.first)
        if until_identical:
            search.explain_rest(inquiry)
    except BudgetSpentError as spent:
        notes = (str(spent),)
    if not any(cause.confirmed for cause in search.causes):
        notes = (*describe_failures(search.laboratory.trials), *notes)
    return Explanation(
        causes=tuple(search.causes), trials=tuple(search.laboratory.trials), notes=notes, is_whole=search.is_whole
    )


def explain_comparison(
    setting: Setting,
    comparison: Comparison,
    candidate: Path,
    watch: Callable[[list[RunProcess]], None] = lambda _: None,
    *,
    until_identical: bool = False,
) -> tuple[Comparison, Explanation]:
    """Search for the causes of a divergence; where only the outputs differ, find out first whether it is one.

    Args are as those of `explain_divergence`.

    Returns the comparison, with its verdict on the output and its causes, and what the search has found.
    """
    (judged,), found = explain_candidates([(setting, comparison, candidate)], watch, until_identical=until_identical)
    return judged, found


def explain_candidates(
    candidates: Sequence[tuple[Setting, Comparison, Path]],
    watch: Callable[[list[RunProcess]], None] = lambda _: None,
    *,
    until_identical: bool = False,
) -> tuple[tuple[Comparison, ...], Explanation]:
    """Judge each candidate of one baseline, and search for the causes of what the first one showed that diverged.

    Whether outputs that differ are a divergence is found out for all candidates before anything is searched for: the
    search may need every experiment that is left.

    Args:
        candidates: Where experiments start from, the comparison with the baseline, and the trace of each; those whose
            causes are to be searched for come first.
        watch: As for `explain_divergence`.
        until_identical: As for `explain_divergence`.

    Returns:
        The comparisons, each with its verdict on the output and one with its causes; and what was found.
    """
    laboratory = Laboratory(candidates[0][0], watch)
    judged = [comparison for _, comparison, _ in candidates]
    wanted: dict[int, tuple[OutputDifference, ...]] = {}
    notes: list[str] = []
    for number, (setting, comparison, candidate) in enumerate(candidates):
        if comparison.first is None:
            laboratory.turn_to(setting)
            judged[number], problem = settle(laboratory, comparison, candidate)
            wanted[number] = laboratory.wanted
            notes += [] if problem is None else [problem]
    diverged = next((number for number, comparison in enumerate(judged) if comparison.first is not None), None)
    if diverged is None:
        return tuple(judged), Explanation(causes=(), trials=tuple(laboratory.trials), notes=tuple(notes))
    setting, _, candidate = candidates[diverged]
    laboratory.turn_to(setting, wanted.get(diverged, ()))
    found = explain_divergence(
        setting, judged[diverged], candidate, watch, until_identical=until_identical, laboratory=laboratory
    )
    judged[diverged] = replace(judged[diverged], causes=found.causes)
    first = judged[diverged].first
    if setting.keeps_samples and first is not None:
        keep_samples(laboratory, first, candidate)
    return tuple(judged), replace(found, trials=tuple(laboratory.trials), notes=(*notes, *found.notes))


def settle(laboratory: Laboratory, comparison: Comparison, candidate: Path) -> tuple[Comparison, str | None]:
    """Find out whether outputs that differ are a divergence; return the comparison, and why that could not be told."""
    try:
        return settle_output(laboratory, comparison, candidate)
    except BudgetSpentError:
        told = f"no experiment may be made that would tell what the output of {candidate.name} differs by"
        return comparison, told


@dataclass(slots=True, kw_only=True)
class Search:
    """One search under way: what it has found is kept if the experiments end.

    Attributes:
        removals: What takes the causes found so far away.
        is_whole: Whether the run is identical to its end without the causes; None if not tried.
    """

    laboratory: Laboratory
    candidate: Path
    removals: Removals = field(default_factory=Removals)
    causes: list[Cause] = field(default_factory=list)
    is_whole: bool | None = None

    def explain(self, first: Difference) -> Inquiry:
        """Search for the causes of one divergence."""
        inquiry = open_inquiry(self.laboratory, first, self.candidate, self.removals)
        if inquiry.replica.failure is not None and not inquiry.replica.has_begun:
            return inquiry  # nothing of ours runs: each further experiment would fail as well
        found = find_causes(BY_READING, inquiry)
        self.causes += found  # at once: the experiments may end below
        if not found:
            self.causes += explain_computing(inquiry)
        elif inquiry.differs_anyway and inquiry.replica.first is not None:
            later = inquiry.replica.first
            is_same = is_same_event(later, first)
            more = find_causes(BY_COMPUTING if is_same else OF_LATER_EVENT, replace(inquiry, first=later))
            self.causes += [cause for cause in more if is_same or cause.kind != "uninitialized-memory"]
        return inquiry

    def explain_rest(self, inquiry: Inquiry) -> None:
        """Take away what was found and run to the end; search for what shows then, until nothing does."""
        seen: dict[str, int] = {}
        while True:
            seen[inquiry.first.label] = inquiry.step
            inquiry.laboratory.focus = None
            trial = replay(inquiry, (), "the causes found so far replayed, to the end", num_steps=None)
            self.is_whole = trial.first is None and trial.problem is None
            if trial.first is None or trial.first.step <= seen.get(trial.first.label, -1):
                return
            inquiry = self.explain(trial.first)


def is_same_event(one: Difference, other: Difference) -> bool:
    """Whether two divergences are of one event."""
    return (one.process, one.step, one.stage, one.name) == (other.process, other.step, other.stage, other.name)


def explain_computing(inquiry: Inquiry) -> list[Cause]:
    """Return the causes of a divergence that no source in the ledger explains; else what cannot be repeated."""
    causes = find_causes((FILES_OUTSIDE, *BY_COMPUTING), inquiry)
    return causes if any(cause.confirmed for cause in causes) else [*suspect_unrepeatable(inquiry), *causes]

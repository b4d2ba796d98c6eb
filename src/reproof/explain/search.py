"""Search for the causes of a divergence by experiment.

First everything is replayed from the baseline. If that run is identical, the difference came in through a source of
entropy, and the smallest set of sources is sought whose values of the baseline, with those of the candidate for all
others, give the baseline again. If it is not, the difference is made by computing: by threads, by memory that nobody
has written, or by an operation that does not give the same bits twice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from reproof.entropy.ledger import read_ledgers
from reproof.entropy.plan import Plan
from reproof.explain.appearance import looks_harmless
from reproof.explain.computation import find_computed_causes, find_varied_op, window_of
from reproof.explain.laboratory import BudgetSpentError, Laboratory, Setting, Trial, find_first
from reproof.explain.leftovers import collect_leftovers, find_next_files, list_files
from reproof.explain.lines import find_drawing_line
from reproof.explain.minimize import minimize
from reproof.explain.naming import name_cause
from reproof.explain.suspects import (
    DISK,
    HASH_SEED,
    LOOKS_HARMLESS,
    OF_EARLIER,
    START,
    VARIATION,
    VARIED,
    Suspect,
    collect_suspects,
    rank,
)
from reproof.schema import Probes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reproof.launch.processes import RunProcess
    from reproof.schema import Cause, Comparison, Difference

ARITHMETIC = frozenset({f"{VARIATION}threads", f"{VARIATION}cpu-isa"})
"""Variations that change how operations compute: they are traced to the operation."""

TIMERS = frozenset({"signal.alarm", "signal.setitimer"})
"""Sources that are noted when they interrupt a run."""

VARIED_KINDS = {"listing-order": "listing-order", "hash-seed": "hash-order", "workers": "worker-count"}
"""Variations, and the kind of cause of what is read otherwise because of them."""

SURROUNDINGS = {
    "threads": "thread-count",
    "cpu-isa": "environment",
    "cwd": "environment",
    "locale": "environment",
    "time": "environment",
}
"""Variations that no source in the ledger stands for, and the kind of cause that each would be."""


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
) -> Explanation:
    """Search for the causes of the first divergence between a baseline and a candidate.

    Args:
        setting: Where experiments start from.
        comparison: Of the two runs; it must have diverged.
        candidate: Trace of the candidate.
        watch: Called several times a second with the experiment under way.
        until_identical: Go on with the divergences that come after, until the run is identical to its end.

    Returns:
        The causes, experiments and what is left open. Nothing is raised because a search finds nothing.
    """
    laboratory = Laboratory(setting, watch)
    if comparison.first is None:
        raise ValueError("the runs have not diverged")
    search = Search(laboratory, comparison.first, candidate)
    try:
        search.run()
        if until_identical:
            search.go_on()
    except BudgetSpentError:
        search.notes.append(f"the search ended after {setting.max_runs} experiments; more are made with --max-runs")
    return Explanation(
        causes=tuple(search.causes),
        trials=tuple(laboratory.trials),
        notes=tuple(search.notes),
        is_whole=search.is_whole,
    )


class Search:
    """One search under way.

    Attributes:
        causes: Causes found so far.
        notes: What could not be tried.
        is_whole: Whether the run is identical to its end without the causes; None if not tried.
    """

    def __init__(self, laboratory: Laboratory, first: Difference, candidate: Path) -> None:
        """Begin with a divergence."""
        self._laboratory = laboratory
        self._setting = laboratory.setting
        self._baseline = laboratory.setting.request.trace
        self._candidate = candidate
        self._first = first
        self._replica: Trial | None = None
        self._differs_anyway = False
        self._num_before = 0
        self._by_choice: dict[tuple[Suspect, ...], Trial] = {}
        self._earlier = tuple(list_files(laboratory.setting.overlay)) if laboratory.setting.overlay else ()
        self._listed: set[str] = set()
        self._next_files: dict[str, tuple[str, ...]] = {}
        self._known: tuple[Suspect, ...] = ()
        self.causes: list[Cause] = []
        self.notes: list[str] = []
        self.is_whole: bool | None = None

    @property
    def _num_steps(self) -> int:
        """Steps of a run that shows whether the divergence is there."""
        return self._first.step + 1

    def run(self) -> None:
        """Search for the causes of this divergence."""
        self._num_before = len(self._laboratory.trials)
        self._by_choice.clear()
        suspects = self._collect()
        replica = self._replica = self._replay_all(suspects)
        suspects += self._collect_orders(replica)
        self._differs_anyway = not replica.agrees_through(self._first.step) and self._is_past_place(replica)
        found = self._find_replayed(suspects, replica)
        self.causes += found  # at once: the experiments may end below
        if not found:
            causes = self._find_outside(replica) or find_computed_causes(self._laboratory, self._first, replica)
            self.causes += causes if any(cause.confirmed for cause in causes) else [*self._suspect_timers(), *causes]
        elif self._differs_anyway and replica.first is not None:
            self.causes += find_computed_causes(self._laboratory, replica.first, replica)

    def go_on(self) -> None:
        """Take away what was found and run to the end; search for what shows then, until nothing does."""
        while True:
            trial = self._try(self._known, "the causes found so far replayed, to the end", num_steps=None)
            self.is_whole = trial.first is None
            if trial.first is None or trial.first.step <= self._first.step:
                return
            self._first = trial.first
            self.run()

    def _collect(self) -> list[Suspect]:
        """Return what the two runs read differently before they diverged."""
        last = self._first.step
        suspects = collect_suspects(read_ledgers(self._baseline), read_ledgers(self._candidate), last)
        suspects = [suspect for suspect in suspects if suspect.kind != "state-on-disk"]
        leftovers = collect_leftovers(read_ledgers(self._candidate), self._setting.overlay, last)
        self._listed = {file for suspect in leftovers if suspect.source.endswith(OF_EARLIER) for file in suspect.files}
        suspects += leftovers
        suspects += [
            Suspect(key=f"{VARIATION}{name}", kind=kind, source=name)
            for name, kind in SURROUNDINGS.items()
            if name in self._setting.variations
        ]
        return suspects

    def _replay_all(self, suspects: list[Suspect]) -> Trial:
        """Run with everything from the baseline, watched closely."""
        generators = tuple(s.source for s in suspects if s.key.endswith(START))
        plan = Plan(baseline=str(self._baseline), watches=generators, watches_orders=True, since=self._setting.since)
        return self._laboratory.run(
            "everything replayed from the baseline",
            plan,
            num_steps=self._num_steps,
            probes=Probes(ops_steps=window_of(self._first.step), keeps_op_values=True),
        )

    def _collect_orders(self, replica: Trial) -> list[Suspect]:
        """Return the lines that iterate over sets or hash, if the runs had different hash seeds."""
        if self._setting.candidate_hash_seed in {None, self._setting.request.hash_seed}:
            return []
        found = collect_suspects(read_ledgers(replica.trace), {}, self._first.step)
        return [suspect for suspect in found if suspect.kind == "hash-order"] + [
            Suspect(key=HASH_SEED, kind="hash-order", source="PYTHONHASHSEED", through="python")
        ]

    def _find_replayed(self, suspects: list[Suspect], replica: Trial) -> list[Cause]:
        """Return the causes that the baseline's values take away; none where replaying everything does not help."""
        if not self._agrees(replica):
            return []
        arithmetic = [suspect for suspect in suspects if suspect.key in ARITHMETIC]
        sources = [suspect for suspect in suspects if suspect.key not in ARITHMETIC]
        return self._find_varied_op(arithmetic, replica) or self._find_sources(sources)

    def _agrees(self, trial: Trial) -> bool:
        """Whether a run does not have the divergence: nor any other in its step, unless the step differs anyway."""
        return trial.agrees_through(self._first.step) or (self._differs_anyway and self._is_past_place(trial))

    def _is_past_place(self, trial: Trial) -> bool:
        """Whether a run agrees at the place of the divergence and diverges later."""
        return trial.num_events_after(self._first) > 0

    def _find_outside(self, replica: Trial) -> list[Cause]:
        """Return the lines that read files outside of the folder, if the divergence goes when those are hidden."""
        step = self._first.step
        if replica.agrees_through(step):
            return []
        found = rank(collect_leftovers(read_ledgers(replica.trace), None, step), step)
        if not found or not self._hides(tuple(found)):
            return []
        needed = minimize(found, self._hides)
        trial = self._by_choice.get(needed) or self._by_choice[tuple(found)]
        evidence = (
            f"with all else replayed the run is identical to the baseline through step {step} when what an earlier run "
            f"left there is hidden (experiment {trial.number}), and diverges when it is not "
            f"(experiment {replica.number})"
        )
        return [self._name(suspect, evidence) for suspect in needed]

    def _hides(self, chosen: tuple[Suspect, ...]) -> bool:
        """Whether the run agrees when the files of these suspects are hidden, and everything else is replayed."""
        files = tuple(file for suspect in chosen for file in suspect.files)
        plan = Plan(baseline=str(self._baseline), since=self._setting.since, hides=files)
        told = f"everything replayed, hidden what an earlier run left outside of the folder: {', '.join(files)}"
        trial = self._by_choice[chosen] = self._laboratory.run(told, plan, num_steps=self._num_steps)
        return trial.agrees_through(self._first.step)

    def _suspect_timers(self) -> list[Cause]:
        """Return the lines that started a timer which has interrupted the run: nothing can replay that."""
        timers = collect_suspects(read_ledgers(self._candidate), {}, self._first.step)
        evidence = "a timer interrupted the run before it diverged; no experiment can have it do so at the same moment"
        return [
            name_cause(timer, self._setting.request.folder, self._first.step, evidence, is_confirmed=False)
            for timer in timers
            if timer.source in TIMERS
        ]

    def _find_varied_op(self, variations: list[Suspect], replica: Trial) -> list[Cause]:
        """Return the operation that computes otherwise under one of these variations, or none."""
        for variation in variations:
            if (cause := find_varied_op(self._laboratory, self._first, replica, variation)) is not None:
                self._known += (variation,)
                return [cause]
        return []

    def _find_sources(self, suspects: list[Suspect]) -> list[Cause]:
        """Return the sources whose values of the baseline are needed; none if no source of entropy decides."""
        ordered = rank(map(self._weigh, suspects), self._first.step)
        if not ordered:
            return []
        needed = self._order(minimize(ordered, self._explains))
        located = [self._locate(suspect) for suspect in needed]
        if not self._has_diverged and self._explains(()):
            return []  # even the candidate's own values do not bring the divergence back
        if (self._differs_anyway or any(is_unseen(suspect) for suspect in needed)) and not self._is_proven(needed):
            return []
        proof = self._prove(needed)
        self._known += needed
        return [self._name(suspect, f"{proof}{more}") for suspect, more in located]

    def _order(self, needed: tuple[Suspect, ...]) -> tuple[Suspect, ...]:
        """Return causes in the order in which they are named: those that make the first divergence are first.

        Of a clock that is read once and again and again, the line that takes the difference is the one to mend.
        """
        kinds = [suspect.kind for suspect in needed]

        def place(suspect: Suspect) -> tuple[bool, int, int]:
            num_reads = suspect.num_reads if suspect.kind == "wall-clock" else 0
            return self._is_for_later(suspect), kinds.index(suspect.kind), -num_reads

        return tuple(sorted(needed, key=place))

    def _is_for_later(self, suspect: Suspect) -> bool:
        """Whether the divergence is gone without this one, and only another one in the same step needs it."""
        return any(suspect not in chosen and self._is_past_place(trial) for chosen, trial in self._by_choice.items())

    def _weigh(self, suspect: Suspect) -> Suspect:
        """Return a suspect with what its line, and the surroundings of the candidate, tell of it."""
        doubt = VARIED if suspect.kind in {VARIED_KINDS.get(name) for name in self._setting.variations} else 0
        if suspect.file is not None and suspect.line is not None and suspect.kind != "state-on-disk":
            path = self._setting.request.folder / suspect.file
            doubt += LOOKS_HARMLESS if looks_harmless(path, suspect.line, suspect.kind, suspect.source) else 0
        return replace(suspect, doubt=doubt)

    def _is_proven(self, needed: tuple[Suspect, ...]) -> bool:
        """Whether these alone take the divergence away: that nothing else was seen to differ is no proof.

        The hash seed without a line that depends on it must do so twice, and the candidate's must give the candidate
        again: it always differs, so that it is blamed where stray memory or a race has come out the same by chance. The
        same holds where the rest of the step differs by computing.
        """
        trial = self._by_choice.get(needed)
        agrees = self._explains(needed) if trial is None else self._agrees(trial)
        is_seen = all(suspect.key != HASH_SEED for suspect in needed) and not self._differs_anyway
        return agrees and (is_seen or (self._explains(needed) and self._gives_candidate()))

    def _gives_candidate(self) -> bool:
        """Whether the candidate's own values give the candidate again: a race seldom comes out as it did there."""
        if self._known:  # a cause is already taken away, so that the candidate would not come of it
            return True
        if () not in self._by_choice:
            self._explains(())
        trial = self._by_choice[()]
        first = find_first(self._candidate, trial.trace) if trial.problem is None else self._first
        return self._agrees(replace(trial, first=first))

    @property
    def _has_diverged(self) -> bool:
        """Whether an experiment has shown the divergence again: then it does not come and go by itself."""
        return any(not self._agrees(trial) for trial in self._laboratory.trials[self._num_before :])

    def _explains(self, chosen: tuple[Suspect, ...]) -> bool:
        names = " and ".join(suspect.key for suspect in chosen)
        told = f"only {names} replayed from the baseline, all else" if names else "everything replayed"
        purpose = f"{told} from the candidate"
        trial = self._try(chosen, purpose, num_steps=self._num_steps)
        while not self._agrees(trial) and self._reads_instead(chosen, trial):
            trial = self._try(chosen, f"{purpose}; gone is also what it read instead", num_steps=self._num_steps)
        self._by_choice[chosen] = trial
        return self._agrees(trial)

    def _reads_instead(self, chosen: tuple[Suspect, ...], trial: Trial) -> bool:
        """Whether a line read other files of an earlier run when its own were gone: they belong to it, too."""
        if trial.problem is not None:
            return False
        own = {file for suspect in chosen for file in self._files_of(suspect)}
        ledgers = read_ledgers(trial.trace)
        more = {s.key: find_next_files(s, self._listed - own, ledgers, self._first.step) for s in chosen if s.files}
        for key, files in more.items():
            self._next_files[key] = self._next_files.get(key, ()) + files
        return any(more.values())

    def _files_of(self, suspect: Suspect) -> tuple[str, ...]:
        return suspect.files + self._next_files.get(suspect.key, ())

    def _try(self, chosen: tuple[Suspect, ...], purpose: str, *, num_steps: int | None) -> Trial:
        """Run with the chosen sources from the baseline and all others from the candidate; None for the whole run."""
        keys = tuple(key for suspect in (*self._known, *chosen) for key in suspect.keys)
        has_orders = self._replica is not None and any(suspect.kind == "hash-order" for suspect in chosen)
        plan = Plan(
            baseline=str(self._baseline),
            keys=keys,
            candidate=str(self._candidate),
            details=str(self._replica.trace) if has_orders and self._replica is not None else None,
            watches_orders=has_orders,
            earlier=self._earlier,
        )
        return self._laboratory.run(
            purpose,
            plan,
            num_steps=num_steps,
            is_hash_seed_of_baseline=HASH_SEED in keys,
            clean_files=frozenset(file for suspect in (*self._known, *chosen) for file in self._files_of(suspect)),
            variations=tuple(
                n for n in self._setting.variations if f"{VARIATION}{n}" not in keys and n in SURROUNDINGS
            ),
        )

    def _locate(self, suspect: Suspect) -> tuple[Suspect, str]:
        """Return a suspect with its line, and how that was found, as the end of a sentence."""
        if not suspect.key.endswith(START) or self._replica is None:
            return suspect, ""
        return find_drawing_line(self._laboratory, self._first, self._replica, suspect)

    def _prove(self, needed: tuple[Suspect, ...]) -> str:
        """Say which experiments have shown that these, and no others, make the difference."""
        step = self._first.step
        alone = self._by_choice.get(needed)
        agreed = alone or self._replica
        number = "" if agreed is None else f" (experiment {agreed.number})"
        others = " while all other values were the candidate's" if alone is not None else ""
        which = "this value" if len(needed) == 1 else f"these {len(needed)} values"
        diverged = [trial for trial in self._laboratory.trials if not self._agrees(trial)]
        extent = f"as far as {self._first.stage} {self._first.name} in" if self._differs_anyway else "through"
        without = f"; with the candidate's it diverges (experiment {diverged[-1].number})" if diverged else ""
        return f"with {which} of the baseline{others} the run is identical to it {extent} step {step}{number}{without}"

    def _name(self, suspect: Suspect, evidence: str) -> Cause:
        return name_cause(suspect, self._setting.request.folder, self._first.step, evidence, is_confirmed=True)


def is_unseen(suspect: Suspect) -> bool:
    """Whether a suspect is there although its value was not seen to differ: the hash seed, and what is on disk."""
    return suspect.key == HASH_SEED or suspect.key.startswith(DISK)

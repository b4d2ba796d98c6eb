"""One divergence under inquiry: what the two runs read differently, and the run with everything replayed.

Left out: what may have caused it (`reproof.explain.hypotheses`).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final

from reproof.entropy.ledger import read_ledgers
from reproof.entropy.plan import Plan
from reproof.explain.doors import fold_doors
from reproof.explain.kinds import SURROUNDINGS
from reproof.explain.leftovers import collect_leftovers
from reproof.explain.naming import name_cause
from reproof.explain.suspects import HASH_SEED, START, VARIATION, Suspect, collect_suspects
from reproof.schema import Probes
from reproof.trace import open_trace

if TYPE_CHECKING:
    from pathlib import Path

    from reproof.explain.laboratory import Laboratory, Setting, Trial
    from reproof.schema import Cause, Difference

MAX_EARLIER_STEPS: Final = 3
"""Up to this step of a divergence the operations of all steps before it are recorded as well."""


@dataclass(slots=True, kw_only=True)
class Removals:
    """What takes the causes found so far away; it grows during a search, from one divergence to the next.

    Attributes:
        suspects: What every further experiment takes from the baseline.
        next_files: Files of an earlier run that a line reads once its own are gone, by the key of its suspect.
    """

    suspects: tuple[Suspect, ...] = ()
    next_files: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def add(self, *suspects: Suspect) -> None:
        """Take these away in all further experiments."""
        self.suspects += suspects

    def files_of(self, suspect: Suspect) -> tuple[str, ...]:
        """Return all files of an earlier run that a suspect is known to read."""
        return suspect.files + self.next_files.get(suspect.key, ())


@dataclass(frozen=True, kw_only=True)  # without slots: some runs are made when first asked for, and kept
class Inquiry:
    """One divergence, and where experiments on it start from.

    Attributes:
        replica: The run with everything replayed, whose operations at the divergent step were recorded.
        candidate: Trace of the run that diverged from the baseline.
        suspects: What the two runs read differently before, in no order.
        removals: What takes away the causes found before.
    """

    first: Difference
    replica: Trial
    laboratory: Laboratory
    candidate: Path
    suspects: tuple[Suspect, ...] = ()
    removals: Removals = field(default_factory=Removals)

    @property
    def setting(self) -> Setting:
        """Where all experiments of the search start from."""
        return self.laboratory.setting

    @property
    def baseline(self) -> str:
        """Trace of the baseline, as a plan has it."""
        return str(self.setting.request.trace)

    @property
    def step(self) -> int:
        """Step of the divergence."""
        return self.first.step

    @property
    def last_read_step(self) -> int:
        """Last step, of any process, whose reads may have caused the divergence."""
        return last_step_of(self.first)

    @property
    def num_steps(self) -> int:
        """Steps of a run that shows whether the divergence is there."""
        return self.first.step + 1

    @property
    def differs_anyway(self) -> bool:
        """Whether the rest of the step also differs by computing: the replica only agrees up to a later place in it."""
        return not self.replica.agrees_through(self.step) and self.is_past(self.replica)

    def agrees(self, trial: Trial) -> bool:
        """Whether a run does not have the divergence: nor any other in its step, unless the step differs anyway."""
        return trial.agrees_through(self.step) or (self.differs_anyway and self.is_past(trial))

    def folder_of(self, trial: Trial) -> Path:
        """Return the folder in which a run left the trace of the process that diverged."""
        if self.first.process is None:
            return trial.trace
        process = open_trace(trial.trace).of_process(self.first.process)
        return trial.trace if process is None else process.folder

    def is_past(self, trial: Trial) -> bool:
        """Whether a run agrees at the place of the divergence and diverges later."""
        return trial.num_events_after(self.first) > 0

    @cached_property
    def repeated(self) -> Trial:
        """One more run with everything replayed, every operation of the divergent step executed several times."""
        return self.laboratory.run(
            f"everything replayed, each operation of step {self.step} repeated",
            Plan(baseline=self.baseline),
            num_steps=self.num_steps,
            probes=Probes(ops_steps=window_of(self.step), keeps_op_values=True, repeats_ops=True),
            compare_with=self.replica.trace,
        )

    @cached_property
    def marked(self) -> Trial:
        """A run with everything replayed, and marks in all memory that nothing has written."""
        return self.laboratory.run(
            "everything replayed, uninitialised memory filled with marked NaNs",
            Plan(baseline=self.baseline, watches_memory=True),
            num_steps=self.num_steps,
            probes=Probes(poisons=True),
        )

    def tell_replica(self) -> str:
        """Return the end of an evidence: that the divergence is there although everything is replayed."""
        return f"; with everything replayed the run diverges all the same (experiment {self.replica.number})"

    def name(self, suspect: Suspect, evidence: str, *, is_confirmed: bool = True) -> Cause:
        """Return a suspect as the cause of the divergence."""
        return name_cause(suspect, self.setting.request.folder, self.step, evidence, is_confirmed=is_confirmed)


def open_inquiry(laboratory: Laboratory, first: Difference, candidate: Path, removals: Removals) -> Inquiry:
    """Collect what is suspected of a divergence, and run once with everything replayed."""
    laboratory.focus = first
    suspects = collect_differing(laboratory.setting, first, candidate)
    replica = replay_all(laboratory, first.step, suspects)
    suspects += collect_orders(laboratory.setting, first, replica)
    return Inquiry(
        first=first,
        replica=replica,
        laboratory=laboratory,
        candidate=candidate,
        suspects=tuple(suspects),
        removals=removals,
    )


def collect_differing(setting: Setting, first: Difference, candidate: Path) -> list[Suspect]:
    """Return what the two runs read differently before they diverged: sources, files, surroundings."""
    ledgers = read_ledgers(candidate)
    read = collect_suspects(read_ledgers(setting.request.trace), ledgers, first.step, first.label)
    suspects = fold_doors((one for one in read if one.kind != "state-on-disk"), setting.request.folder)
    suspects += collect_leftovers(ledgers, setting.overlay, last_step_of(first))
    suspects += [
        Suspect(key=f"{VARIATION}{name}", kind=kind, source=name)
        for name, kind in SURROUNDINGS.items()
        if name in setting.variations
    ]
    return suspects


def last_step_of(first: Difference) -> int:
    """Return the last step, of any process, whose reads may have caused a divergence; each has steps of its own."""
    return first.step if first.process is None else sys.maxsize


def collect_orders(setting: Setting, first: Difference, replica: Trial) -> list[Suspect]:
    """Return the lines that iterate over sets or hash, if the runs had different hash seeds."""
    if setting.candidate_hash_seed in {None, setting.request.hash_seed}:
        return []
    found = collect_suspects(read_ledgers(replica.trace), {}, first.step, first.label)
    whole = Suspect(key=HASH_SEED, kind="hash-order", source="PYTHONHASHSEED", through="python")
    return [*(suspect for suspect in found if suspect.kind == "hash-order"), whole]


def replay_all(laboratory: Laboratory, step: int, suspects: list[Suspect]) -> Trial:
    """Run with everything from the baseline, and watch the generators that differ, the orders and the operations."""
    setting = laboratory.setting
    generators = tuple(suspect.source for suspect in suspects if suspect.key.endswith(START))
    return laboratory.run(
        "everything replayed from the baseline",
        Plan(baseline=str(setting.request.trace), watches=generators, watches_orders=True, since=setting.since),
        num_steps=step + 1,
        probes=Probes(ops_steps=window_of(step), keeps_op_values=True),
    )


def window_of(step: int) -> tuple[int, int]:
    """Return the steps whose operations are recorded: what comes and goes may show a little earlier the next time."""
    return (0 if step <= MAX_EARLIER_STEPS else step, step)

"""Experiments on sources: chosen ones have the values of the baseline, all others those of the candidate."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from reproof.entropy.ledger import read_ledgers
from reproof.entropy.plan import Plan
from reproof.explain.kinds import SURROUNDINGS
from reproof.explain.leftovers import find_next_files, list_files
from reproof.explain.suspects import DISK, HASH_SEED, OF_EARLIER, VARIATION

if TYPE_CHECKING:
    from reproof.explain.inquiry import Inquiry
    from reproof.explain.laboratory import Trial
    from reproof.explain.suspects import Suspect


@dataclass(frozen=True, slots=True, kw_only=True)
class Replays:
    """The experiments on the sources of one divergence.

    Attributes:
        by_choice: The last experiment with each choice of suspects.
        in_part: That in which a line of a choice read, in place of its own file, an older one of an earlier run.
    """

    inquiry: Inquiry
    by_choice: dict[tuple[Suspect, ...], Trial] = field(default_factory=dict)
    in_part: dict[tuple[Suspect, ...], Trial] = field(default_factory=dict)

    def explains(self, chosen: tuple[Suspect, ...]) -> bool:
        """Whether the divergence is gone when these alone have the values of the baseline; makes the experiment.

        A line that reads an older file of an earlier run once its own is gone is tried again without that one, too.
        """
        inquiry = self.inquiry
        names = " and ".join(suspect.words for suspect in chosen)
        told = f"only {names} replayed from the baseline, all else" if names else "everything replayed"
        purpose = f"{told} from the candidate"
        trial = replay(inquiry, chosen, purpose, num_steps=inquiry.num_steps)
        while not inquiry.agrees(trial) and self._reads_instead(chosen, trial):
            self.in_part[chosen] = trial
            purpose_again = f"{purpose}; gone is also what it read instead"
            trial = replay(inquiry, chosen, purpose_again, num_steps=inquiry.num_steps)
        self.by_choice[chosen] = trial
        return inquiry.agrees(trial)

    def _reads_instead(self, chosen: tuple[Suspect, ...], trial: Trial) -> bool:
        """Whether a line read other files of an earlier run when its own were gone: they belong to it, too."""
        if trial.problem is not None:
            return False
        inquiry, removals = self.inquiry, self.inquiry.removals
        listed = {file for s in inquiry.suspects if s.source.endswith(OF_EARLIER) for file in s.files}
        own = {file for suspect in chosen for file in removals.files_of(suspect)}
        ledgers = read_ledgers(trial.trace)
        more = {s.key: find_next_files(s, listed - own, ledgers, inquiry.step) for s in chosen if s.files}
        for key, files in more.items():
            removals.next_files[key] = removals.next_files.get(key, ()) + files
        return any(more.values())

    def is_proven(self, needed: tuple[Suspect, ...], *, is_racing: bool = False) -> bool:
        """Whether these alone take the divergence away: that nothing else was seen to differ is no proof.

        The hash seed without a line that depends on it must do so twice, and the candidate's must give the candidate
        again: it always differs, so that it is blamed where stray memory or a race has come out the same by chance. The
        same holds where the rest of the step differs by computing, and where processes race with each other.
        """
        trial = self.by_choice.get(needed)
        agrees = self.explains(needed) if trial is None else self.inquiry.agrees(trial)
        is_seen = all(suspect.key != HASH_SEED for suspect in needed) and not is_racing
        is_seen = is_seen and not self.inquiry.differs_anyway
        return agrees and (is_seen or (self.explains(needed) and self._gives_candidate()))

    def _gives_candidate(self) -> bool:
        """Whether the candidate's own values give the candidate again: a race seldom comes out as it did there."""
        inquiry = self.inquiry
        if inquiry.removals.suspects:  # a cause is already taken away, so that the candidate would not come of it
            return True
        if () not in self.by_choice:
            self.explains(())
        trial = self.by_choice[()]
        if trial.problem is not None:
            return False
        return inquiry.agrees(replace(trial, first=inquiry.laboratory.compare(inquiry.candidate, trial.trace)))

    def has_diverged(self) -> bool:
        """Whether an experiment has shown the divergence again: then it does not come and go by itself."""
        return any(map(self._diverges, self.inquiry.laboratory.trials[self.inquiry.replica.number - 1 :]))

    def _diverges(self, trial: Trial) -> bool:
        """Whether an experiment has the divergence; one that could not be compared shows nothing."""
        return trial.problem is None and not self.inquiry.agrees(trial)

    def _find_without(self, suspect: Suspect, needed: tuple[Suspect, ...]) -> Trial | None:
        """Return the experiment that has the divergence with the candidate's value of one, and most of the others."""
        found = {c: trial for c, trial in self.by_choice.items() if suspect not in c and self._diverges(trial)}
        if not found:
            return self.in_part.get(needed)
        return found[max(found, key=lambda chosen: len(set(chosen) & set(needed)))]

    def order(self, needed: tuple[Suspect, ...]) -> tuple[Suspect, ...]:
        """Return causes in the order in which they are named: those that make the first divergence are first.

        If a clock is read once on one line and many times on another, the other takes the difference: it comes first.
        """
        kinds = [suspect.kind for suspect in needed]

        def place(suspect: Suspect) -> tuple[bool, int, int]:
            num_reads = suspect.num_reads if suspect.kind == "wall-clock" else 0
            return self._is_for_later(suspect), kinds.index(suspect.kind), -num_reads

        return tuple(sorted(needed, key=place))

    def _is_for_later(self, suspect: Suspect) -> bool:
        """Whether the divergence is gone without this one, and only another one in the same step needs it."""
        return any(suspect not in chosen and self.inquiry.is_past(trial) for chosen, trial in self.by_choice.items())

    def describe(self, needed: tuple[Suspect, ...], suspect: Suspect) -> str:
        """Say which experiments have shown that these make the difference, and this one among them."""
        inquiry, first = self.inquiry, self.inquiry.first
        alone = self.by_choice.get(needed)
        agreed = alone or inquiry.replica
        others = " and the candidate's everywhere else" if alone is not None else ""
        which = "value" if len(needed) == 1 else f"{len(needed)} values"
        diverged = self._find_without(suspect, needed)
        extent = f"as far as {first.stage} {first.name} in" if inquiry.differs_anyway else "through"
        without = f"; with the candidate's here too it diverges (experiment {diverged.number})" if diverged else ""
        return (
            f"with the baseline's {which} here{others}, the run equals the baseline {extent} step {first.step} "
            f"(experiment {agreed.number}){without}"
        )


def replay(inquiry: Inquiry, chosen: tuple[Suspect, ...], purpose: str, *, num_steps: int | None) -> Trial:
    """Run with the chosen sources, and the causes found before, from the baseline, all others from the candidate.

    With `num_steps` the run stops after so many optimizer steps.
    """
    setting, removals = inquiry.setting, inquiry.removals
    replayed = (*removals.suspects, *chosen)
    keys = tuple(key for suspect in replayed for key in suspect.keys)
    has_orders = any(suspect.kind == "hash-order" for suspect in replayed)
    plan = Plan(
        baseline=inquiry.baseline,
        keys=keys,
        candidate=str(inquiry.candidate),
        details=str(inquiry.replica.trace) if has_orders else None,
        watches_orders=has_orders,
        earlier=() if setting.overlay is None else tuple(list_files(setting.overlay)),
    )
    return inquiry.laboratory.run(
        purpose,
        plan,
        num_steps=num_steps,
        is_hash_seed_of_baseline=HASH_SEED in keys,
        clean_files=frozenset(file for suspect in replayed for file in removals.files_of(suspect)),
        variations=tuple(n for n in setting.variations if f"{VARIATION}{n}" not in keys and n in SURROUNDINGS),
    )


def is_unseen(suspect: Suspect) -> bool:
    """Whether a suspect is there although its value was not seen to differ: the hash seed, and what is on disk."""
    return suspect.key == HASH_SEED or suspect.key.startswith(DISK)

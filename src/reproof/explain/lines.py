"""Find the line that draws from a global generator which nobody has seeded.

The generator is what must be seeded, but the line shows what depends on it. The first line that draws may only make up
a name for the run. So the draws of one line are perturbed while everything else is replayed, and the line is named only
if the run then diverges. A line that makes it diverge later than it did is named only if no other comes closer. It is
given the numbers with which the candidate began: with any others a coin would fall the same by chance. Lines that
changed nothing are then tried with others, since a shuffle may begin with the same sample by chance, too.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from reproof.entropy.ledger import POOL, read_ledgers
from reproof.entropy.plan import Plan
from reproof.entropy.sources.draws import FIRST_DRAW
from reproof.explain.laboratory import BudgetSpentError
from reproof.explain.suspects import collect_suspects

if TYPE_CHECKING:
    from reproof.entropy.ledger import Source
    from reproof.explain.inquiry import Inquiry
    from reproof.explain.laboratory import Trial
    from reproof.explain.suspects import Suspect
    from reproof.schema import Difference


IN_TASKS: Final = " in the tasks of a pool"
"""End of the name of a global generator where it is drawn from there alone: workers share the tasks by chance."""


class Located(NamedTuple):
    """A suspect with its line.

    Attributes:
        told: How the line was found, as the end of a sentence.
        is_confirmed: Whether an experiment on this very line has shown the divergence.
    """

    suspect: Suspect
    told: str = ""
    is_confirmed: bool = True


def find_drawing_line(inquiry: Inquiry, suspect: Suspect) -> Located:
    """Return the suspect with the line whose draws matter, and how that was found.

    The lines were watched in the replica of the divergence; the suspect is the first state of a global generator.
    """
    first = inquiry.first
    lines = find_lines(inquiry.replica, suspect.source, first)
    if first.stage != "init":
        lines.reverse()
    tried: set[Suspect] = set()
    diverged: dict[Suspect, Trial] = {}
    with contextlib.suppress(BudgetSpentError):
        for line in (*lines, *(() if suspect.reads else lines)):
            if line in diverged:
                continue
            trial = perturb(inquiry, suspect, line, candidate=None if line in tried else str(inquiry.candidate))
            tried.add(line)
            if not trial.agrees_through(first.step):
                diverged[line] = trial
                if trial.num_events_after(first) == 0:
                    break
    if diverged:
        line, trial = min(diverged.items(), key=lambda found: found[1].num_events_after(first))
        more = f"; with other numbers drawn on this line alone it diverges (experiment {trial.number})"
        return Located(place(suspect, line), more)
    if tried == set(lines) and suspect.reads:
        return find_reading_line(inquiry, suspect)
    if not lines:
        return Located(suspect, is_confirmed=False)
    if tried != set(lines):
        one = "of several lines that draw from it, this one" if len(lines) > 1 else "the line that draws from it"
        return Located(place(suspect, lines[0]), f"; {one} was not tried by itself", is_confirmed=False)
    told = "; no line that draws from it makes it diverge by itself"
    return Located(place(suspect, lines[0]), told, is_confirmed=False)


def find_reading_line(inquiry: Inquiry, suspect: Suspect) -> Located:
    """Return the suspect with the line that reads its state, which has become the seed of something else."""
    with contextlib.suppress(BudgetSpentError):
        for read in suspect.reads:
            trial = withhold(inquiry, read)
            if not trial.agrees_through(inquiry.step):
                told = f"; with the candidate's value on this line alone it diverges (experiment {trial.number})"
                return Located(replace(suspect, file=read.file, line=read.line), told)
    read = suspect.reads[0]
    return Located(replace(suspect, file=read.file, line=read.line), is_confirmed=False)


def find_lines(replica: Trial, source: str, first: Difference) -> list[Suspect]:
    """Return the lines that drew from a generator before the divergence, in the order of their first draws.

    The source of those that only the tasks of a pool have run says so.
    """
    ledgers = read_ledgers(replica.trace)
    before = {
        key
        for process, sources in ledgers.items()
        for key, read in sources.items()
        if process != first.label or not is_after(read, first)
    }
    outside = {key for process, sources in ledgers.items() if f".{POOL}" not in process for key in sources}
    watched = collect_suspects(ledgers, {}, first.step, first.label)
    return [
        line if line.key in outside else replace(line, source=f"{source}{IN_TASKS}")
        for line in watched
        if line.source == source and line.line is not None and line.key in before
    ]


def is_after(read: Source, first: Difference) -> bool:
    """Whether a line is known to have begun to draw after the divergence.

    Not where that is in an initial state: it was recorded when the model was first called, and may have been made later
    than what was recorded before.
    """
    if first.stage == "init" or first.num_events is None:
        return False
    counts = [note.get("num_events") for note in read.notes if note.get("note") == FIRST_DRAW]
    return any(isinstance(n, int) and n > first.num_events for n in counts)


def place(suspect: Suspect, line: Suspect) -> Suspect:
    """Return the suspect at a line that draws, with what that says of the source."""
    return replace(suspect, source=line.source, file=line.file, line=line.line)


def perturb(inquiry: Inquiry, suspect: Suspect, line: Suspect, *, candidate: str | None) -> Trial:
    """Replay everything but the draws of one line, which begins as the generator of the candidate, if it is given."""
    plan = Plan(
        baseline=inquiry.baseline,
        candidate=candidate,
        details=str(inquiry.replica.trace),
        watches=(suspect.source,),
        perturbs=(line.key,),
    )
    return inquiry.laboratory.run(
        f"everything replayed but the numbers drawn from {suspect.source} at {line.file}:{line.line}",
        plan,
        num_steps=inquiry.num_steps,
    )


def withhold(inquiry: Inquiry, read: Suspect) -> Trial:
    """Replay everything but what one line reads."""
    ledgers = (read_ledgers(inquiry.setting.request.trace), read_ledgers(inquiry.candidate))
    keys = {key for ledger in ledgers for sources in ledger.values() for key in sources}
    plan = Plan(baseline=inquiry.baseline, keys=tuple(sorted(keys - {read.key})), candidate=str(inquiry.candidate))
    return inquiry.laboratory.run(
        f"everything replayed but what is read from {read.source} at {read.file}:{read.line}",
        plan,
        num_steps=inquiry.num_steps,
    )

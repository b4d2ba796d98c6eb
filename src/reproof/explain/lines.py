"""Find the line that draws from a global generator which nobody has seeded.

The generator is what must be seeded, but the line shows what depends on it. The first line that draws may only make up
a name for the run. So the draws of one line are perturbed while everything else is replayed, and the line is named only
if the run then diverges. A line that makes it diverge later than it did is named only if no other comes closer. Lines
that changed nothing are then tried a second time, since a shuffle may begin with the same sample by chance.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from reproof.entropy.ledger import read_ledgers
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


def find_drawing_line(inquiry: Inquiry, suspect: Suspect) -> tuple[Suspect, str]:
    """Return the suspect with the line whose draws matter, and how that was found, as the end of a sentence.

    Args:
        inquiry: The divergence; the lines were watched in its replica.
        suspect: The first state of a global generator.
    """
    first = inquiry.first
    lines = find_lines(inquiry.replica, suspect.source, first)
    if first.stage != "init":
        lines.reverse()
    if len(lines) + len(suspect.reads) < 2:  # noqa: PLR2004  # no choice
        return (place(suspect, lines[0]), "") if lines else (suspect, "")
    tried: set[Suspect] = set()
    diverged: dict[Suspect, Trial] = {}
    with contextlib.suppress(BudgetSpentError):
        for line in (*lines, *(() if suspect.reads else lines)):
            if line in diverged:
                continue
            trial = perturb(inquiry, suspect, line)
            tried.add(line)
            if not trial.agrees_through(first.step):
                diverged[line] = trial
                if trial.num_events_after(first) == 0:
                    break
    if diverged:
        line, trial = min(diverged.items(), key=lambda found: found[1].num_events_after(first))
        more = f"; with other numbers drawn on this line alone it diverges (experiment {trial.number})"
        return place(suspect, line), more
    if tried != set(lines):
        return place(suspect, lines[0]), "; of several lines that draw from it, this one was not tried by itself"
    if suspect.reads:  # what was read of its state has become the seed of something else
        return place(suspect, suspect.reads[0]), ""
    return place(suspect, lines[0]), "; no line that draws from it makes it diverge by itself"


def find_lines(replica: Trial, source: str, first: Difference) -> list[Suspect]:
    """Return the lines that drew from a generator before the divergence, in the order of their first draws."""
    ledgers = read_ledgers(replica.trace)
    before = {
        key
        for process, sources in ledgers.items()
        for key, read in sources.items()
        if process != first.label or not is_after(read, first)
    }
    watched = collect_suspects(ledgers, {}, first.step, first.label)
    return [line for line in watched if line.source == source and line.line is not None and line.key in before]


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
    """Return the suspect at a line."""
    return replace(suspect, file=line.file, line=line.line)


def perturb(inquiry: Inquiry, suspect: Suspect, line: Suspect) -> Trial:
    """Replay everything but the draws of one line."""
    plan = Plan(
        baseline=inquiry.baseline,
        details=str(inquiry.replica.trace),
        watches=(suspect.source,),
        perturbs=(line.key,),
    )
    return inquiry.laboratory.run(
        f"everything replayed but the numbers drawn from {suspect.source} at {line.file}:{line.line}",
        plan,
        num_steps=inquiry.num_steps,
    )

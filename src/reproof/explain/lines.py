"""Find the line that draws from a global generator which nobody has seeded.

The generator is what must be seeded, but the line shows what depends on it. The first line that draws may only make up
a name for the run; so the draws of a line are perturbed while everything else is replayed, and only if the run then
diverges is the line named.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reproof.entropy.ledger import read_ledgers
from reproof.entropy.plan import Plan
from reproof.explain.laboratory import BudgetSpentError
from reproof.explain.suspects import collect_suspects

if TYPE_CHECKING:
    from reproof.explain.laboratory import Laboratory, Trial
    from reproof.explain.suspects import Suspect
    from reproof.schema import Difference


def find_drawing_line(
    laboratory: Laboratory, first: Difference, replica: Trial, suspect: Suspect
) -> tuple[Suspect, str]:
    """Return the suspect with the line whose draws matter, and how that was found, as the end of a sentence.

    Args:
        laboratory: Where experiments are made.
        first: The divergence.
        replica: The run in which the lines were watched.
        suspect: The first state of a global generator.
    """
    lines = find_lines(replica, suspect.source, first.step)
    if first.stage != "init":
        lines.reverse()
    if len(lines) + len(suspect.reads) < 2:  # noqa: PLR2004  # no choice
        return (place(suspect, lines[0]), "") if lines else (suspect, "")
    for line in lines:
        try:
            trial = perturb(laboratory, first, replica, suspect, line)
        except BudgetSpentError:
            break
        if not trial.agrees_through(first.step):
            more = f"; with other numbers drawn on this line alone it diverges (experiment {trial.number})"
            return place(suspect, line), more
    else:
        if suspect.reads:  # what was read of its state has become the seed of something else
            return place(suspect, suspect.reads[0]), ""
    return place(suspect, lines[0]), "; of several lines that draw from it, this one was not tried by itself"


def find_lines(replica: Trial, source: str, last_step: int) -> list[Suspect]:
    """Return the lines that drew from a generator before the divergence, in the order of their first draws."""
    watched = collect_suspects(read_ledgers(replica.trace), {}, last_step)
    return [line for line in watched if line.source == source and line.line is not None]


def place(suspect: Suspect, line: Suspect) -> Suspect:
    """Return the suspect at a line."""
    return replace(suspect, file=line.file, line=line.line)


def perturb(laboratory: Laboratory, first: Difference, replica: Trial, suspect: Suspect, line: Suspect) -> Trial:
    """Replay everything but the draws of one line."""
    plan = Plan(
        baseline=str(laboratory.setting.request.trace),
        details=str(replica.trace),
        watches=(suspect.source,),
        perturbs=(line.key,),
    )
    return laboratory.run(
        f"everything replayed but the numbers drawn from {suspect.source} at {line.file}:{line.line}",
        plan,
        num_steps=first.step + 1,
    )

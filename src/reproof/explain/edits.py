"""Find the draw by which an edit has changed a training: "I only added validation, and the training changed".

A global generator gives its numbers to whoever asks next. One more draw, as by a loader that is gone through for the
validation, or by a dropout, and all that draws from the generator later gets other numbers. The lines are found that
draw in the step in which the runs part; then the draws of one line are taken back: if the run is then the other one
again, step for step, that line is what the edit has added.
"""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reproof.entropy.ledger import read_ledgers
from reproof.entropy.plan import Plan
from reproof.explain.naming import name_cause
from reproof.explain.suspects import START, Suspect
from reproof.explain.syntax import Line, contains

if TYPE_CHECKING:
    from reproof.entropy.ledger import Source
    from reproof.explain.laboratory import Laboratory, Trial
    from reproof.schema import Cause, Comparison, Difference

GENERATORS: Final = {"python": "random", "numpy": "numpy.random", "torch": "torch"}
"""Names of generators in a comparison, and of the modules whose global ones they are."""

MAX_LINES: Final = 6
"""So many lines are tried one after the other."""

OF_ITS_OWN: Final = {
    "random": "rng = random.Random({seed})    # a generator of its own for what was added, made once",
    "numpy.random": "rng = np.random.default_rng({seed})    # a generator of its own for what was added, made once",
    "torch": "with torch.random.fork_rng():    # around what was added: afterwards the generator is as it was before",
}
LOADER: Final = (
    "DataLoader(..., generator=torch.Generator().manual_seed({seed}))    # where the loader is made: a generator of "
    "its own, since going through a loader draws a seed, shuffled or not"
)


def find_added_draw(laboratory: Laboratory, comparison: Comparison, owner: str) -> list[Cause]:
    """Return the line whose draws only one of two runs made, confirmed by taking them back; none if there is no such.

    The laboratory repeats the run that draws more (`owner`: *baseline* or *candidate*), and compares it with the other
    one. Raises BudgetSpentError if no more experiments may be made.
    """
    first = comparison.first
    if first is None:
        return []
    plan = Plan(watches=find_generators(comparison, first), watches_seeded=True)
    watched = laboratory.run(
        f"the {owner} again, lines watched that draw from a global generator", plan, num_steps=first.step + 1
    )
    if watched.problem is not None or watched.agrees_through(first.step):
        return []
    for source in find_lines(watched, first)[:MAX_LINES]:
        trial = laboratory.run(
            f"the {owner} again, what {source.file}:{source.line} draws from {source.source} taken back",
            replace(plan, takes_back=(source.key,)),
            num_steps=first.step + 1,
        )
        if trial.agrees_through(first.step):
            return [name_draw(laboratory, source, first, owner, (watched, trial))]
    return []


def find_generators(comparison: Comparison, first: Difference) -> tuple[str, ...]:
    """Return the generators that may have been drawn from: those in other states since the step of the divergence."""
    gaps = {gap.step: set(gap.differing) for gap in comparison.rng}
    since = gaps.get(first.step, set()) - gaps.get(first.step - 1, set())
    return tuple(module for name, module in GENERATORS.items() if name in since) or tuple(GENERATORS.values())


def find_lines(watched: Trial, first: Difference) -> list[Source]:
    """Return the lines that drew in the step of a divergence or before, those first that began last.

    What was drawn there before has changed nothing until then.
    """
    sources = read_ledgers(watched.trace).get(first.label, {}).values()
    drawing = [one for one in sources if one.source in GENERATORS.values() and one.line and not one.key.endswith(START)]
    before = [one for one in drawing if one.steps and one.steps[0] <= first.step]
    return sorted(before, key=lambda one: -one.steps[0])


def name_draw(
    laboratory: Laboratory, source: Source, first: Difference, owner: str, trials: tuple[Trial, Trial]
) -> Cause:
    """Return the cause that a line is which draws in one of the runs alone."""
    other = "candidate" if owner == "baseline" else "baseline"
    folder = laboratory.setting.request.folder
    suspect = Suspect(key=source.key, kind="code-change", source=source.source, file=source.file, line=source.line)
    evidence = (
        f"with what this line draws from the global generator of {source.source} taken back, the {owner} is identical "
        f"to the {other} through step {first.step} (experiment {trials[1].number}); as it is, it parts there "
        f"(experiment {trials[0].number})"
    )
    cause = name_cause(suspect, folder, first.step, evidence, is_confirmed=True)
    remedy = LOADER if source.source == "torch" and goes_through(cause.text) else OF_ITS_OWN[source.source]
    reason = (
        f"Only the {owner} draws here from the global generator of {source.source}: all that draws from it later gets "
        "other numbers."
    )
    return replace(cause, reason=reason, fix=remedy.format(seed=42), change=None)


def goes_through(text: str) -> bool:
    """Whether a line goes through something, as through a loader."""
    line = Line.read(text)
    return line is not None and any(
        isinstance(node, ast.For | ast.comprehension) or contains(node, "iter") for node in line.nodes
    )

"""Suggest the command to run after a check."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Final, Protocol

from reproof.cli.lines import printable

if TYPE_CHECKING:
    from reproof.checking import CheckRequest, CheckResult
    from reproof.schema import Difference, Level

FINER_LEVELS: Final[dict[Level, dict[str, Level]]] = {
    "steps": {"forward": "modules", "loss": "modules", "gradient": "modules", "update": "ops"},
    "modules": {"forward": "ops", "loss": "ops", "gradient": "ops", "update": "ops"},
}
"""By level and stage of the first divergence, the level that tells more of it: other stages have no parts."""

PARTS: Final[dict[Level, str]] = {"modules": "which module it is", "ops": "which operation it is"}


class Speller(Protocol):
    """Spells the check under way."""

    def __call__(self, **changes: object) -> list[str]:
        """Return its command line as words, with some options changed, or left out where they are None."""


def suggest(request: CheckRequest, result: CheckResult, spell: Speller) -> list[str]:
    """Return the commands that make sense after the verdict."""
    comparison, explanation = result.comparison, result.explanation
    if comparison.first is None:
        return suggest_for_inconclusive(request, result)
    if any(cause.confirmed for cause in comparison.causes):
        return [comment(spell(), "after applying the fix")]
    if not request.explains:
        return [comment(spell(explains=None), "searches for the cause by experiment")]
    if explanation is not None and len(explanation.trials) >= request.max_runs:
        return [comment(spell(max_runs=2 * request.max_runs), "goes on with the search")]
    return suggest_closer_look(request, result, comparison.first, spell)


def suggest_closer_look(request: CheckRequest, result: CheckResult, first: Difference, spell: Speller) -> list[str]:
    """Return the commands that tell more of a divergence whose cause no experiment has confirmed."""
    if (level := FINER_LEVELS.get(request.level, {}).get(first.stage)) is not None:
        return [comment(spell(level=level, num_steps=first.step + 1), PARTS[level])]
    script = request.command[0]
    return [
        comment(["reproof", "doctor"], "which conditions hold")
        if script == "-m"
        else comment(["reproof", "doctor", script], "what in the script is not determined"),
        spell_words(["reproof", "compare", *result.comparison.runs, "--max-differences", "50"]),
    ]


def suggest_for_inconclusive(request: CheckRequest, result: CheckResult) -> list[str]:
    """Return what to do where the evidence is too little for a verdict."""
    if result.comparison.verdict != "inconclusive":
        return []
    if any(run.exit_code for run in result.runs):
        return [comment(["python", *request.command], "it must come to its end first")]
    if not result.comparison.num_events:
        return ["nothing was recorded: does the script train? It used no DataLoader, no model and no backward()"]
    return []


def comment(words: list[str], reason: str) -> str:
    """Return a command that can be copied, and what it is for."""
    return f"{spell_words(words)}    # {reason}"


def spell_words(words: list[str]) -> str:
    """Return words as one line of a shell."""
    return printable(shlex.join(words))

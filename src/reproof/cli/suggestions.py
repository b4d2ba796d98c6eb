"""Suggest the command to run after a check."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Final, Protocol

import click

from reproof.cli.options import find_misplaced
from reproof.entropy.ledger import read_ledgers
from reproof.launch.command import find_script, own_arguments, spell_plain
from reproof.schema.telling import printable

if TYPE_CHECKING:
    from reproof.checking import CheckRequest, CheckResult
    from reproof.schema import Difference, Level

FINER_LEVELS: Final[dict[Level, dict[str, Level]]] = {
    "steps": {"forward": "modules", "loss": "modules", "gradient": "modules", "update": "ops"},
    "modules": {"forward": "ops", "loss": "ops", "gradient": "ops", "update": "ops"},
}
"""By level and stage of the first divergence, the level that tells more of it: other stages have no parts."""

PARTS: Final[dict[Level, str]] = {"modules": "which module it is", "ops": "which operation it is"}

REFUSED: Final = 2
"""Exit code of a script that does not know one of its arguments."""

MOVES: Final = ("cwd",)
"""Variations under which the script does not run in the user's folder."""


COMMENT: Final = "    # "


class Speller(Protocol):
    """Spells the check under way."""

    def __call__(self, **changes: object) -> list[str]:
        """Return its command line as words, with some options changed, or left out where they are None."""


def suggest(request: CheckRequest, result: CheckResult, spell: Speller) -> list[str]:
    """Return the commands that make sense after the verdict."""
    comparison, explanation = result.comparison, result.explanation
    if comparison.first is None:
        return suggest_for_inconclusive(request, result, spell)
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
    script = find_script(request.command)
    return [
        comment(["reproof", "doctor"], "which conditions hold")
        if script is None
        else comment(["reproof", "doctor", script], "what in the script is not determined"),
        spell_words(["reproof", "compare", *result.comparison.runs, "--max-differences", "50"]),
    ]


def suggest_for_inconclusive(request: CheckRequest, result: CheckResult, spell: Speller) -> list[str]:
    """Return what to do where the evidence is too little for a verdict."""
    if result.comparison.verdict != "inconclusive":
        return []
    if any(run.exit_code for run in result.runs):
        return suggest_for_failure(request, result, spell)
    if not result.comparison.num_events:
        child = any(len(read_ledgers(run.trace)) > 1 for run in result.runs)
        told = "a process that it started may train" if child else "it used no DataLoader, no model and no backward()"
        return [f"nothing was recorded: does the script train? {told[0].upper()}{told[1:]}"]
    return []


def suggest_for_failure(request: CheckRequest, result: CheckResult, spell: Speller) -> list[str]:
    """Return what to do where the script failed in some run."""
    context, script = click.get_current_context(silent=True), find_script(request.command)
    if context is not None and script is not None and any(run.exit_code == REFUSED for run in result.runs):
        for ours in find_misplaced(context, script, own_arguments(request.command)):
            return [f"write {ours} before {script}: what follows the script was given to it, and it does not know that"]
    if any(line.startswith("EOFError") for run in result.runs for line in run.last_lines(1)):
        return ["the script reads standard input, which a terminal gives to no run: reproof check ... < FILE"]
    moved = [name for name in MOVES if name in request.variations]
    if request.is_isolated or request.num_jobs > 1:
        alone = comment(spell(isolate=None, num_jobs=None), "runs in the folder itself, one after the other")
        return [alone, comment(spell_plain(request.command), "does it come to its end by itself?")]
    if moved and not result.runs[0].exit_code:
        left = [name for name in request.variations if name not in moved]
        return [comment(spell(vary=",".join(left) or None), f"it fails only with {', '.join(moved)} varied")]
    return [comment(spell_plain(request.command), "it must come to its end first")]


def comment(words: list[str], reason: str) -> str:
    """Return a command that can be copied, and what it is for."""
    return f"{spell_words(words)}{COMMENT}{reason}"


def spell_words(words: list[str]) -> str:
    """Return words as one line of a shell."""
    return printable(shlex.join(words))

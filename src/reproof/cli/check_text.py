"""Draw what a check has found besides the comparison: the search for causes, changed files, failures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from reproof.cli.lines import echo_lines, limit, section
from reproof.cli.suggestions import suggest
from reproof.launch.variations import find_unvaried
from reproof.schema.telling import plural, printable

if TYPE_CHECKING:
    from reproof.checking import CheckRequest, CheckResult
    from reproof.cli.suggestions import Speller


def draw_runs(request: CheckRequest, result: CheckResult, spell: Speller) -> None:
    """Print what the runs left, how they ended, and what to do next."""
    lines: list[str] = []
    if len(result.comparisons) > 1:
        verdicts = [f"{Path(c.runs[1]).name}: {c.verdict}" for c in result.comparisons]
        lines += section("Candidates", limit(tuple(verdicts)))
    lines += section("Search for causes", describe_search(request, result))
    lines += section("What the runs wrote", limit(tuple(describe_changes(result))))
    lines += section("Ended badly", [printable(line) for line in describe_failures(result)])
    lines += section("Next", suggest(request, result, spell))
    echo_lines(lines)


def describe_search(request: CheckRequest, result: CheckResult) -> list[str]:
    """Return what the experiments showed beyond the causes, and what they could not show."""
    if request.variations and result.comparison.verdict == "identical":
        unvaried = find_unvaried(request.variations)
        varied = [name for name in request.variations if name not in unvaried]
        held = [f"the training holds under other surroundings: {', '.join(varied)}"] if varied else []
        return [*held, *(f"{name} was not varied: {reason}" for name, reason in unvaried.items())]
    explanation = result.explanation
    if explanation is None:
        return []
    count = len(explanation.trials)
    lines = [plural(count, "experiment")] if count else []
    if explanation.is_whole is not None:
        told = "is identical to its end" if explanation.is_whole else "still differs"
        lines.append(f"with the causes replayed from the baseline the run {told}")
    if result.comparison.first is not None and not explanation.causes and not explanation.notes:
        lines.append("no cause could be confirmed")
    return [*lines, *map(printable, explanation.notes)]


def describe_changes(result: CheckResult) -> list[str]:
    """Return a line for each run that changed files."""
    described = []
    for run in result.runs:
        changes = run.changes
        parts = [
            f"{verb} {', '.join(names[:4])}{f' and {len(names) - 4} more' if len(names) > 4 else ''}"  # noqa: PLR2004
            for verb, names in (
                ("created", changes.created),
                ("changed", changes.modified),
                ("deleted", changes.deleted),
            )
            if names
        ]
        if parts:
            described.append(f"{run.trace.name}: {'; '.join(parts)}")
    return described


def describe_failures(result: CheckResult) -> list[str]:
    """Return the exit code and the last lines of output of each run that failed."""
    described = []
    told: list[str] = []
    for run in result.runs:
        if run.exit_code:
            how = f"signal {-run.exit_code}" if run.exit_code < 0 else f"exit code {run.exit_code}"
            how += f", ended since {run.stall}" if run.stall else ""
            lines = run.last_lines()
            is_repeated = bool(lines) and lines == told
            described.append(f"{run.trace.name}: {how}{', with the same last lines' if is_repeated else ''}")
            described += [] if is_repeated else [f"  {line.expandtabs()}" for line in lines]
            told = lines
    return described

"""What each experiment replayed, how far it ran, whether it agreed with the baseline, and what that shows."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from reproof.report.records import ExperimentRow

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

    from reproof.schema import Difference

BASELINE: Final = "the baseline"
TREATMENTS: Final = (
    *("takes_back", "heals", "perturbs", "pins_addresses", "serializes", "reverses_listings", "time_shift"),
    *("more_workers", "hides", "poisons", "other_memory"),
)
"""What an experiment may change besides the values that were read: what it shows is then for its cause to say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """An experiment as it was made.

    Attributes:
        number: From 1.
        purpose: What was asked, in words.
        seconds: How long it took.
        trace: Folder of its trace; its plan lies beside it.
        window: Steps that it was to run; None for the whole run.
        first: Its first divergence from what it was compared with, or None.
        problem: Why it cannot be compared, or None.
        reference: What it was compared with, in words.
    """

    number: int
    purpose: str
    seconds: float
    trace: Path
    window: int | None
    first: Difference | None
    problem: str | None
    reference: str = BASELINE


def describe_experiments(experiments: Iterable[Experiment], proving: Collection[int]) -> tuple[ExperimentRow, ...]:
    """Return the experiments as rows; `proving` are the numbers of those on which a cause rests."""
    return tuple(_describe(experiment, is_proof=experiment.number in proving) for experiment in experiments)


def _describe(experiment: Experiment, *, is_proof: bool) -> ExperimentRow:
    plan, probes = (read_setting(experiment.trace, part) for part in ("plan", "probes"))
    keys = plan.get("keys")
    is_plain = experiment.reference == BASELINE and not any((plan | probes).get(name) for name in TREATMENTS)
    agreed = has_agreed(experiment)
    return ExperimentRow(
        number=experiment.number,
        purpose=experiment.purpose,
        seconds=round(experiment.seconds, 2),
        window=experiment.window,
        agreed=agreed,
        equal_share=_measure(experiment, agreed=agreed),
        result=_say_result(experiment, agreed=agreed),
        meaning=_say_meaning(plan, agreed=agreed) if is_plain else "",
        replayed=tuple(map(str, keys)) if isinstance(keys, list) else None,
        plan=_say_plan(plan),
        is_proof=is_proof,
    )


def has_agreed(experiment: Experiment) -> bool | None:
    """Whether an experiment equals what it was compared with through its window.

    A run that was stopped after its window holds nothing of what the other did later: a first divergence beyond the
    window is the end of the experiment, and none.
    """
    if experiment.problem is not None:
        return None
    first = experiment.first
    return first is None or (experiment.window is not None and first.step >= experiment.window)


def read_setting(trace: Path, part: str) -> dict[str, Any]:
    """Return the plan or the probes that an experiment was given; empty if there are none, or they cannot be read."""
    try:
        found = json.loads(trace.with_name(f"{trace.name}.experiment.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    given = found.get(part) if isinstance(found, dict) else None
    return given if isinstance(given, dict) else {}


def _measure(experiment: Experiment, *, agreed: bool | None) -> float:
    if agreed:
        return 1.0
    if agreed is None or experiment.first is None:
        return 0.0
    window = experiment.window or experiment.first.step + 1
    return min(0.96, experiment.first.step / max(1, window))  # what differs stays visible


def _say_result(experiment: Experiment, *, agreed: bool | None) -> str:
    if agreed is None:
        return f"could not be compared: {experiment.problem}"
    if agreed:
        until = "to its end" if experiment.window is None else f"through step {experiment.window - 1:,}"
        return f"equals {experiment.reference} {until}"
    first = experiment.first
    if first is None:
        return ""
    other = "" if experiment.reference == BASELINE else f"from {experiment.reference} "
    return f"parts {other}{'in ' if first.is_within_steps else ''}{first.place}, {first.stage}"


def _say_plan(plan: dict[str, Any]) -> str:
    """Say in words whose values the sources had."""
    keys = plan.get("keys")
    if not plan.get("baseline"):
        return ""
    others = "all else from the candidate" if plan.get("candidate") else "all else as it comes"
    if keys is None:
        return "What every source read in the baseline"
    if not keys:
        return "What every source read in the candidate" if plan.get("candidate") else "Nothing replayed"
    return f"What {', '.join(map(str, keys[:3]))} read in the baseline, {others}"


def _say_meaning(plan: dict[str, Any], *, agreed: bool | None) -> str:
    if agreed is None or not plan.get("baseline"):
        return ""
    keys = plan.get("keys")
    if keys is None:
        return (
            "So the difference came in from outside: through something that was read."
            if agreed
            else "So it is made by computing, not by anything that was read."
        )
    if not keys:
        return (
            "So it is gone by itself." if agreed else "So the divergence is there again without the baseline's values."
        )
    return "So this alone decides." if agreed else "So this alone does not take the difference away."

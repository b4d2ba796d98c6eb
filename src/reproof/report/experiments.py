"""What each experiment replayed, how far it ran, whether it agreed with the baseline, and what that shows."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from reproof.report.records import ExperimentRow

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from pathlib import Path

    from reproof.schema import Difference

BASELINE: Final = "the baseline"
TREATMENTS: Final = (
    *("takes_back", "heals", "perturbs", "pins_addresses", "serializes", "reverses_listings", "time_shift"),
    *("more_workers", "hides", "poisons", "other_memory"),
)
"""What an experiment may change besides the values that were read: what it shows is then for its cause to say."""


MAX_DEPTH: Final = 4


class Node(NamedTuple):
    """An experiment in the tree of all."""

    depth: int
    row: ExperimentRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """An experiment as it was made.

    Attributes:
        number: From 1.
        purpose: What was asked, in words.
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
    rows: list[ExperimentRow] = []
    for experiment in experiments:
        row = _describe(experiment, is_proof=experiment.number in proving)
        rows.append(replace(row, parent=_find_parent(row, experiment.reference, rows)))
    return tuple(rows)


def order_as_tree(rows: Sequence[ExperimentRow], parent: int | None = None, depth: int = 0) -> Iterator[Node]:
    """Yield experiments, each with its depth and behind the one that it follows from."""
    for row in rows:
        if row.parent == parent:
            yield Node(min(depth, MAX_DEPTH), row)
            yield from order_as_tree(rows, row.number, depth + 1)


def _find_parent(row: ExperimentRow, reference: str, earlier: Sequence[ExperimentRow]) -> int | None:
    """Return the experiment that one follows from.

    That is the one that it was compared with; else, of those that replayed more, the one that replayed least; else the
    first that replayed the same.
    """
    for one in earlier:
        if reference == f"experiment {one.number}":
            return one.number
    own = None if row.replayed is None else set(row.replayed)
    more = [one for one in earlier if own is not None and (one.replayed is None or own < set(one.replayed))]
    if more:
        return min(more, key=lambda one: (one.replayed is None, len(one.replayed or ()), -one.number)).number
    return next((one.number for one in earlier if one.replayed == row.replayed), None)


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
    path = trace.with_name(f"{trace.name}.experiment.json")
    try:
        found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (OSError, ValueError, RecursionError):
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
    return "So this decides." if agreed else "So this does not take the difference away."

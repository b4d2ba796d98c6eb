"""Train in one process what a search had trained before a trial, and set back what that has changed.

Runs in the fresh process of `worker`; `carried` says what is trained and what it shows.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from reproof.bundle.config import read_seed
from reproof.bundle.training import TrainingRequest, run_training
from reproof.bundle.weights import digest_weights
from reproof.reproducing.project_state import ProjectState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MAX_SINGLE: Final = 4
"""Changed objects that are set back one by one, to tell which of them carries the state."""


class EndedEarlyError(Exception):
    """Ends an earlier training where the search's pruner did."""


def train_before(
    train: Callable[[dict[str, Any], Any], Any], plan: dict[str, Any], request: TrainingRequest, seed_key: str
) -> list[str]:
    """Train what comes before, set back what is to be set back, and return what was changed: in the worker.

    The plan has ``before``, the earlier trainings, and ``reset``, names of what is set back after them. Effects: runs
    the user's training; changes what it changes.
    """
    state = ProjectState(request.project)
    restore = state.save(plan["reset"])
    for item in plan["before"]:
        _train_earlier(train, item, request, seed_key)
    changed = state.find_changed()
    restore()
    return changed


def probe_state(
    train: Callable[[dict[str, Any], Any], Any], config: dict[str, Any], request: TrainingRequest, names: Sequence[str]
) -> dict[str, bool]:
    """Train again and again in this process, and tell what depends on what an earlier training has left.

    Args:
        train: The training.
        config: Its configuration, the same each time.
        request: How it is run.
        names: What trainings change, in the modules of the project.

    Returns:
        ``carries``: whether the second training gives other bits than the first; ``restored``: whether one after all
        of `names` was set back gives those of the first; and for each name whether setting it back alone does.

    Effects: runs the user's training.
    """
    state = ProjectState(request.project)
    restore = {name: state.save((name,)) for name in names}
    restore_all = state.save(names)
    plain = replace(request, trace=None, perturb=None)

    def run() -> tuple[Any, ...]:
        outcome = run_training(train, config, plain)
        return outcome.value.hex(), digest_weights(outcome.best), digest_weights(outcome.last)

    first = run()
    found = {"carries": run() != first}
    restore_all()
    found["restored"] = run() == first
    for name in names if 1 < len(names) <= MAX_SINGLE else ():
        restore_all()
        run()
        restore[name]()
        found[name] = run() == first
    return found


def _train_earlier(
    train: Callable[[dict[str, Any], Any], Any], item: dict[str, Any], request: TrainingRequest, seed_key: str
) -> None:
    """Train as the search did: to the epoch at which it was pruned, with the error that it ended with."""
    reports = 0

    def on_report(_epoch: int, _value: float) -> None:
        nonlocal reports
        reports += 1
        if reports == item["num_epochs"]:
            raise EndedEarlyError

    config = item["config"]
    seeded = replace(request, seed=read_seed(config, seed_key), trace=None, perturb=None)
    with contextlib.suppress(Exception):
        run_training(train, config, seeded, on_report)

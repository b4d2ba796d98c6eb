"""Find a trial in the storage of a study of Optuna: the best one, or one by its number; the storage stays as it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reproof.bundle.config import plain_config
from reproof.bundle.records import CHOSEN
from reproof.errors import DependencyError, UsageError
from reproof.integrations.trial_queue import hide_password, open_storage, quiet_optuna
from reproof.reproducing.stored import VALUE, StoredTrial

try:
    import optuna
    from optuna.study import StudyDirection
    from optuna.trial import TrialState
except ModuleNotFoundError:
    raise DependencyError("Optuna is not installed", "pip install 'reproof[search]'") from None

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reproof.bundle.records import Direction

MAX_NAMED: Final = 10
_SQLITE: Final = "sqlite:///"


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyRequest:
    """Where a trial is stored.

    Attributes:
        storage: URL of a database, or path of a journal file.
        names: Names of studies, of whose trials the best is taken; empty for the only one of the storage.
        trial: Number of the trial, or None for the best.
    """

    storage: str
    names: tuple[str, ...] = ()
    trial: int | None = None


def find_stored(request: StudyRequest, objectives: Sequence[str] = ()) -> StoredTrial:
    """Return a trial of a study, with what its values are of.

    What `objectives`, in the order of the study, do not name is ``value`` for one objective. Raises UsageError if there
    is no such storage, study or trial, or it does not have as many values.
    """
    studies = _load_studies(request)
    if request.trial is None:
        study, trial = _find_best(studies)
    else:
        study, trial = studies[0], _find_number(studies, request.trial)
    names = name_objectives(study, trial, objectives)
    directions = dict(zip(names, study.directions, strict=True))
    steps = sorted(trial.intermediate_values)
    return StoredTrial(
        params=plain_config(trial.params),
        numbers=dict(zip(names, map(float, trial.values), strict=True)),
        curve=tuple(float(trial.intermediate_values[step]) for step in steps),
        direction=_spell(directions.get(VALUE, StudyDirection.MINIMIZE)),
        study=study.study_name,
        number=trial.number,
        num_trials=len(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))),
        details={
            "distributions": {
                name: optuna.distributions.distribution_to_json(item) for name, item in trial.distributions.items()
            },
            **({CHOSEN: True} if request.trial is not None else {}),
            **({"front": [item.number for item in study.best_trials]} if len(study.directions) > 1 else {}),
        },
    )


def _load_studies(request: StudyRequest) -> list[optuna.Study]:
    """Load the studies that are asked for.

    Raises UsageError if a storage or study does not exist: neither is created.
    """
    place, told = request.storage, hide_password(request.storage)
    path = place.removeprefix(_SQLITE) if place.startswith(_SQLITE) else None if "://" in place else place
    if path is not None and not Path(path.partition("?")[0]).is_file():
        raise UsageError(f"there is no storage {told}", "name the database or journal file of the search")
    storage = open_storage(place)
    known = [found.study_name for found in storage.get_all_studies()]
    names = request.names or tuple(known)
    if not request.names and len(known) != 1:
        raise UsageError(f"the storage {told} has {len(known)} studies", f"name one with --study: {_join(known)}")
    for name in names:
        if name not in known:
            raise UsageError(f"the storage {told} has no study {name}", f"it has {_join(known) or 'none'}")
    with quiet_optuna():
        return [optuna.load_study(study_name=name, storage=storage) for name in names]


def _find_best(studies: Sequence[optuna.Study]) -> tuple[optuna.Study, optuna.trial.FrozenTrial]:
    for study in studies:
        if len(study.directions) > 1:
            front = "; ".join(f"{item.number}: {item.values}" for item in study.best_trials[:MAX_NAMED])
            raise UsageError(
                f"study {study.study_name} has {len(study.directions)} objectives, and no single best trial",
                f"choose one of its front with --trial: {front or 'no trial has ended'}",
            )
    if len({study.direction for study in studies}) > 1:
        raise UsageError("the studies have different directions", "name studies of one kind")
    found = [(study, trial) for study in studies if (trial := _best_of(study)) is not None]
    if not found:
        raise UsageError(f"no trial of {_join([study.study_name for study in studies])} was completed", "see --trial")
    is_smaller = studies[0].direction == StudyDirection.MINIMIZE
    return min(found, key=lambda pair: pair[1].values[0] if is_smaller else -pair[1].values[0])


def _best_of(study: optuna.Study) -> optuna.trial.FrozenTrial | None:
    try:
        return study.best_trial
    except ValueError:
        return None


def _find_number(studies: Sequence[optuna.Study], number: int) -> optuna.trial.FrozenTrial:
    if len(studies) > 1:
        raise UsageError(f"trial {number} of {len(studies)} studies", "name one study with --study")
    trials = studies[0].get_trials(deepcopy=True)
    found = next((trial for trial in trials if trial.number == number), None)
    if found is None:
        raise UsageError(f"study {studies[0].study_name} has no trial {number}", f"it has {len(trials)}, from 0 on")
    if found.state != TrialState.COMPLETE:
        ended = {TrialState.PRUNED: "was pruned", TrialState.FAIL: "failed"}.get(found.state, "has not ended")
        raise UsageError(f"trial {number} {ended}: it has no value", "choose one that is complete")
    return found


def name_objectives(study: optuna.Study, trial: optuna.trial.FrozenTrial, objectives: Sequence[str]) -> tuple[str, ...]:
    """Return what each value of a trial is of. Raises UsageError if nobody tells."""
    count = len(trial.values)
    given: Any = tuple(objectives) or (() if count == 1 else tuple(study.metric_names or ()))
    if not given and count == 1:
        return (VALUE,)
    if len(given) != count or len(set(given)) != count:
        raise UsageError(
            f"trial {trial.number} has {count} values, and {len(given)} are named",
            "give --objective once for each, in their order: value (the best reported), last, or target.metric",
        )
    return tuple(given)


def _spell(direction: StudyDirection) -> Direction:
    return "maximize" if direction == StudyDirection.MAXIMIZE else "minimize"


def _join(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(sorted(names)[:MAX_NAMED]) + more

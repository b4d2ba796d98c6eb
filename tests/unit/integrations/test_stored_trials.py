"""Trials are found in a storage as it is: nothing is created, and what cannot be told is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

optuna = pytest.importorskip("optuna")

from reproof.errors import UsageError  # noqa: E402
from reproof.integrations.stored_trials import StudyRequest, find_stored  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a journal with a study of one objective, another one, and one of two objectives."""
    path = tmp_path_factory.mktemp("storage") / "old.journal"
    backend = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(path)))
    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def objective(trial: optuna.Trial) -> float:
        x = trial.suggest_float("x", -1, 1)
        trial.report(x * x + 1, 0)
        trial.report(x * x, 1)
        if trial.number == 1:
            raise optuna.TrialPruned
        return float(x * x)

    for name, seed in (("one", 1), ("other", 2)):
        sampler = optuna.samplers.RandomSampler(seed=seed)
        optuna.create_study(study_name=name, storage=backend, sampler=sampler).optimize(objective, n_trials=4)
    two = optuna.create_study(
        study_name="two", storage=backend, directions=["minimize", "maximize"], sampler=optuna.samplers.RandomSampler(0)
    )
    two.optimize(lambda trial: (x := trial.suggest_float("x", 0, 1), x), n_trials=3)
    return str(path)


def test_the_best_is_found_with_all_that_was_stored(storage: str) -> None:
    """Parameters, value and reports, to the bit, and how many trials there were."""
    found = find_stored(StudyRequest(storage=storage, names=("one",)))
    assert found.numbers == {"value": found.params["x"] ** 2}
    assert found.curve == (found.params["x"] ** 2 + 1, found.params["x"] ** 2)
    assert (found.study, found.num_trials, found.direction) == ("one", 3, "minimize")


def test_of_several_studies_the_best_of_all_is_taken(storage: str) -> None:
    """Whichever has it."""
    each = [find_stored(StudyRequest(storage=storage, names=(name,))) for name in ("one", "other")]
    both = find_stored(StudyRequest(storage=storage, names=("one", "other")))
    assert both.numbers == min((item.numbers for item in each), key=lambda numbers: numbers["value"])


def test_a_trial_of_a_front_is_chosen_by_number(storage: str) -> None:
    """Its values are of what the user says, in the order of the study."""
    request = StudyRequest(storage=storage, names=("two",), trial=2)
    found = find_stored(request, ("value", "force.r2"))
    assert found.numbers == {"value": found.params["x"], "force.r2": found.params["x"]}
    assert found.details["chosen_by_number"]
    with pytest.raises(UsageError, match="2 values, and 0 are named"):
        find_stored(request)


@pytest.mark.parametrize(
    ("names", "trial", "problem"),
    [
        (("nothing",), None, "has no study nothing"),
        ((), None, "has 3 studies"),
        (("two",), None, "no single best trial: choose one of its front"),
        (("one",), 9, "has no trial 9"),
        (("one",), 1, "trial 1 was pruned"),
        (("one", "other"), 1, "trial 1 of 2 studies"),
    ],
)
def test_what_cannot_be_told_is_asked_for(
    storage: str, names: tuple[str, ...], trial: int | None, problem: str
) -> None:
    """In one line that says what there is."""
    with pytest.raises(UsageError, match=problem):
        find_stored(StudyRequest(storage=storage, names=names, trial=trial))


def test_a_storage_that_is_not_there_is_not_created(tmp_path: Path) -> None:
    """Neither a database nor a journal."""
    for place in (f"sqlite:///{tmp_path}/no.db", str(tmp_path / "no.journal")):
        with pytest.raises(UsageError, match="there is no storage"):
            find_stored(StudyRequest(storage=place))
    assert not list(tmp_path.iterdir())

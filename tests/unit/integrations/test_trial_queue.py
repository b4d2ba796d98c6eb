"""The queue of runs: queued by everyone, taken by one, given to another when that one is lost."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("optuna", reason="the extra `search` is not installed")

import optuna

from reproof.errors import DependencyError, UsageError
from reproof.integrations.trial_queue import MAX_ATTEMPTS, TASK, TrialQueue, hide_password, open_storage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LEASE_SECONDS = 0.3
TASKS = ["replicate 11", "replicate 12", "perturbation 0"]


@pytest.fixture(params=["journal", "sqlite"])
def open_queue(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], TrialQueue]:
    """Return what opens the queue anew, as another machine would: in a journal file, and in a database."""
    place = str(tmp_path / "queue.journal") if request.param == "journal" else f"sqlite:///{tmp_path}/queue.db"
    return lambda: TrialQueue(open_storage(place), "runs", lease_seconds=LEASE_SECONDS)


def wait_for_loss(queue: TrialQueue) -> None:
    """Let the lease of silent workers run out, as this queue sees it."""
    queue.recover()
    time.sleep(LEASE_SECONDS * 1.5)
    queue.recover()


def test_each_run_is_taken_once(open_queue: Callable[[], TrialQueue]) -> None:
    """Two machines queue the same runs; each run is taken by one of them."""
    first, second = open_queue(), open_queue()
    first.enqueue(TASKS)
    second.enqueue(TASKS)
    taken = [queue.claim(TASKS) for queue in (first, second, first, second, first)]
    assert Counter(attempt.task for attempt in taken if attempt) == Counter(TASKS)
    assert taken[3:] == [None, None]


def test_runs_queued_twice_at_the_same_moment_are_one(open_queue: Callable[[], TrialQueue]) -> None:
    """Where both found the queue empty and filled it, the trial with the lowest number counts for everyone."""
    first, second = open_queue(), open_queue()
    for queue in (first, second, first):
        queue._enqueue("replicate 11", 0)
    attempt = second.claim(["replicate 11"])
    assert attempt is not None
    assert attempt.trial == 0
    assert second.complete(attempt, {"metrics": {}}, 1.0)
    assert first.claim(["replicate 11"]) is None
    assert [run.state for run in first.read()["replicate 11"]] == ["done"]


def test_threads_of_a_process_take_different_runs(open_queue: Callable[[], TrialQueue]) -> None:
    """Eight threads empty a queue of 12 runs without taking one twice."""
    queue = open_queue()
    tasks = [f"replicate {number}" for number in range(12)]
    queue.enqueue(tasks)
    with ThreadPoolExecutor(8) as pool:
        taken = [attempt.task for attempt in pool.map(lambda _: queue.claim(tasks), range(20)) if attempt]
    assert len(taken) == len(set(taken))
    assert set(taken) <= set(tasks)


def test_a_lost_worker_is_replaced_once(open_queue: Callable[[], TrialQueue]) -> None:
    """A silent run is found lost by both others, and is queued again once."""
    dead, first, second = open_queue(), open_queue(), open_queue()
    dead.enqueue(["replicate 11"])
    assert dead.claim(["replicate 11"]) is not None
    first.recover()
    wait_for_loss(second)
    wait_for_loss(first)
    attempts = first.read()["replicate 11"]
    assert [(run.number, run.state) for run in attempts] == [(0, "lost"), (1, "waiting")]
    again = second.claim(["replicate 11"])
    assert again is not None
    assert again.number == 1
    assert first.claim(["replicate 11"]) is None


def test_a_run_whose_worker_lives_is_not_given_away(open_queue: Callable[[], TrialQueue]) -> None:
    """The beat keeps the lease far beyond its length."""
    ours, other = open_queue(), open_queue()
    ours.enqueue(["replicate 11"])
    attempt = ours.claim(["replicate 11"])
    assert attempt is not None
    with ours.beating(attempt):
        for _ in range(3):
            wait_for_loss(other)
    assert [run.state for run in other.read()["replicate 11"]] == ["running"]
    assert ours.complete(attempt, {}, 1.0)


def test_the_result_of_a_worker_that_comes_back_too_late_is_not_taken(open_queue: Callable[[], TrialQueue]) -> None:
    """A suspended machine finishes a run that was given to another: the other's result counts."""
    late, other = open_queue(), open_queue()
    late.enqueue(["replicate 11"])
    first = late.claim(["replicate 11"])
    wait_for_loss(other)
    second = other.claim(["replicate 11"])
    assert first is not None
    assert second is not None
    assert not late.complete(first, {"from": "late"}, 1.0)
    assert other.complete(second, {"from": "other"}, 1.0)
    assert late.read()["replicate 11"][-1].result == {"from": "other"}


def test_a_failed_run_is_not_tried_again_until_it_is_queued_anew(open_queue: Callable[[], TrialQueue]) -> None:
    """An error of the training is no lost worker: who removes its cause queues the run again."""
    queue = open_queue()
    queue.enqueue(TASKS)
    attempt = queue.claim(TASKS)
    assert attempt is not None
    assert queue.fail(attempt, "no such file")
    wait_for_loss(queue)
    last = queue.read()[attempt.task][-1]
    assert (last.state, last.error, last.is_final) == ("failed", "no such file", True)
    queue.enqueue(TASKS)
    assert [run.state for run in queue.read()[attempt.task]] == ["failed", "waiting"]


def test_a_run_that_is_given_back_is_free_at_once(open_queue: Callable[[], TrialQueue]) -> None:
    """Ctrl-C does not make others wait for the lease."""
    queue, other = open_queue(), open_queue()
    queue.enqueue(["replicate 11"])
    attempt = queue.claim(["replicate 11"])
    assert attempt is not None
    assert queue.give_back(attempt)
    other.recover()
    again = other.claim(["replicate 11"])
    assert again is not None
    assert again.number == 1


def test_a_run_that_kills_its_workers_is_given_up(open_queue: Callable[[], TrialQueue]) -> None:
    """After five lost workers a run is final, and the queue does not go on for ever."""
    queue = open_queue()
    queue.enqueue(["replicate 11"])
    for _ in range(MAX_ATTEMPTS):
        attempt = queue.claim(["replicate 11"])
        assert attempt is not None
        queue.give_back(attempt)
        queue.recover()
    assert queue.claim(["replicate 11"]) is None
    assert queue.read()["replicate 11"][-1].is_final


def test_trials_of_others_in_the_study_are_left_alone(open_queue: Callable[[], TrialQueue]) -> None:
    """A trial that somebody queued by hand is no run."""
    queue = open_queue()
    queue._study.enqueue_trial({"x": 1})
    assert queue.read() == {}
    queue.recover()
    assert queue.claim(TASKS) is None


def test_a_lost_trial_of_a_search_is_run_again_with_its_parameters(open_queue: Callable[[], TrialQueue]) -> None:
    """What the sampler had chosen for it is chosen again, not something else."""
    queue, other = open_queue(), open_queue()
    study = optuna.load_study(storage=queue.storage, study_name="runs")
    trial = study.ask()
    value = trial.suggest_float("x", 0, 1)
    trial.set_user_attr(TASK, "trial 0")
    wait_for_loss(other)
    again = study.ask()
    assert again.number == 1
    assert again.user_attrs[TASK] == "trial 0"
    assert again.suggest_float("x", 0, 1) == value


class TestStorage:
    """Where the queue lies."""

    def test_a_password_is_not_shown(self) -> None:
        """An error names the database and the user."""
        assert hide_password("postgresql+psycopg://me:secret@host:5432/runs") == (
            "postgresql+psycopg://me:***@host:5432/runs"
        )
        assert hide_password("runs.journal") == "runs.journal"

    def test_a_storage_that_cannot_be_opened_is_one_line(self, tmp_path: Path) -> None:
        """The URL is named without its password, and the remedy with it."""
        with pytest.raises(UsageError, match=r"cannot open the storage sqlite:////no/such/folder/a.db"):
            open_storage("sqlite:////no/such/folder/a.db")
        with pytest.raises(UsageError, match="cannot open the storage"):
            open_storage(tmp_path / "no" / "folder" / "queue.journal")

    def test_a_missing_driver_is_named(self) -> None:
        """A database whose driver is not installed says which one."""
        with pytest.raises(DependencyError, match=r"mysql\+pymysql://me:\*\*\*@host/runs is not installed"):
            open_storage("mysql+pymysql://me:secret@host/runs")

"""Which runs a reference needs, who makes them, and what comes into it."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("optuna", reason="the extra `search` is not installed")

from reproof.bundle.records import Perturbation, Reference, Replicate
from reproof.errors import LaunchError
from reproof.integrations.replicates import (
    Progress,
    Task,
    default_journal,
    draw_seeds,
    merge_results,
    refuse_changes,
    run_all,
)
from reproof.integrations.trial_queue import TrialQueue, open_storage
from reproof.reproducing.evidence import Gate

if TYPE_CHECKING:
    from reproof.integrations.replicates import Kind

TASKS = [Task(kind="replicate", number=number) for number in range(6)]


@pytest.fixture
def queue(tmp_path: Path) -> TrialQueue:
    """Return an empty queue."""
    return TrialQueue(open_storage(tmp_path / "queue.journal"), "runs", lease_seconds=5.0)


def result_of(value: float) -> dict[str, object]:
    """Return what a run leaves."""
    return {"metrics": {"y": {"r2": value.hex()}}, "losses": [value.hex()], "weight": "w[0]", "weights": {}}


class TestSeeds:
    """Fresh seeds."""

    def test_every_machine_draws_the_same(self) -> None:
        """They depend on the bundle alone, differ from the trial's, and more of them begin with the same."""
        seeds = draw_seeds("bundle", 20, 42)
        assert seeds == draw_seeds("bundle", 20, 42)
        assert draw_seeds("bundle", 5, 42) == seeds[:5]
        assert draw_seeds("other", 20, 42) != seeds
        assert len(set(seeds)) == 20
        assert all(0 <= seed < 2**32 for seed in seeds)

    def test_the_seed_of_the_trial_is_not_fresh(self) -> None:
        """Should it be drawn, the next one takes its place."""
        first, second, third = draw_seeds("bundle", 3, 42)
        assert draw_seeds("bundle", 2, first) == [second, third]

    def test_the_journal_lies_beside_the_bundle(self) -> None:
        """Inside, it would be a file that the manifest does not list."""
        assert default_journal(Path("runs/best")) == Path("runs/best.replicates.journal").absolute()


class TestRunning:
    """Runs that are made by a callable."""

    def test_several_workers_make_each_run_once(self, queue: TrialQueue) -> None:
        """Three workers at a time share six runs; results come in the order of the runs."""
        made: list[int] = []
        together = threading.Barrier(3, timeout=20)

        def run(task: Task) -> dict[str, object]:
            if len(made) < 3:
                together.wait()
            made.append(task.number)
            return {"square": task.number**2}

        results = run_all(queue, TASKS, run, num_workers=3)
        assert sorted(made) == list(range(6))
        assert [found["square"] for found in results.values()] == [0, 1, 4, 9, 16, 25]

    def test_what_was_made_is_not_made_again(self, queue: TrialQueue) -> None:
        """A second call finds the results in the storage."""
        first = run_all(queue, TASKS, lambda task: {"number": task.number})

        def refuse(task: Task) -> dict[str, object]:
            pytest.fail(f"{task.name} was made again")

        assert run_all(queue, TASKS, refuse) == first

    def test_a_failed_run_is_one_line_and_the_others_are_made(self, queue: TrialQueue) -> None:
        """All others are made first; the next call tries the failed one again."""

        def fail_once(task: Task) -> dict[str, object]:
            if task.number == 2:
                raise LaunchError("no such file data.npz", "put it there")
            return {"number": task.number}

        with pytest.raises(LaunchError, match=r"1 of 6 runs failed, such as replicate 2: no such file data\.npz"):
            run_all(queue, TASKS, fail_once)
        made: list[int] = []
        run_all(queue, TASKS, lambda task: {"number": made.append(task.number)})
        assert made == [2]

    def test_a_run_that_is_broken_off_is_given_back(self, queue: TrialQueue) -> None:
        """Ctrl-C ends the call, and the next one need not wait for the lease."""

        def interrupt(task: Task) -> dict[str, object]:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run_all(queue, TASKS[:1], interrupt)
        assert queue.read()["replicate 0"][-1].state == "lost"
        assert list(run_all(queue, TASKS[:1], lambda _: {"done": True}).values()) == [{"done": True}]

    def test_progress_counts_the_runs(self, queue: TrialQueue) -> None:
        """What is told last is that all have ended."""
        told: list[Progress] = []
        run_all(queue, TASKS, lambda _: {"done": True}, watch=told.append)
        assert told[0].num_tasks == 6
        assert (told[-1].num_done, told[-1].num_running, told[-1].num_lost) == (6, 0, 0)


class TestReference:
    """What comes into `reference.json`."""

    def test_results_are_added_and_margins_proposed(self) -> None:
        """A chosen margin stays; a missing one is 1.5 standard deviations of the replicates."""
        results = {Task(kind="replicate", number=n): result_of(0.1 * n) for n in (1, 2, 3)}
        results[Task(kind="perturbation", number=0)] = result_of(0.5)
        reference = merge_results(Reference(margins={}), results)
        assert reference.replicates[0] == Replicate(seed=1, metrics={"y": {"r2": 0.1}})
        assert reference.perturbations == (Perturbation(losses=(0.5,), metrics={"y": {"r2": 0.5}}, weight="w[0]"),)
        assert reference.margins["y"]["r2"] == pytest.approx(0.15)
        assert merge_results(Reference(margins={"y": {"r2": 0.7}}), results).margins == {"y": {"r2": 0.7}}

    def test_margins_do_not_move_when_replicates_are_added(self) -> None:
        """They were fixed beforehand: a later, wider spread does not widen them."""
        first = merge_results(
            Reference(margins={}), {Task(kind="replicate", number=n): result_of(0.1 * n) for n in (1, 2)}
        )
        more = {Task(kind="replicate", number=n): result_of(9.0 * n) for n in (3, 4)}
        later = merge_results(first, more)
        assert later.margins == first.margins
        assert len(later.replicates) == 4

    def test_a_result_that_the_reference_has_is_not_added_twice(self) -> None:
        """Two machines that share the folder write the same reference."""
        results = {
            Task(kind="replicate", number=1): result_of(0.1),
            Task(kind="perturbation", number=0): result_of(0.2),
        }
        once = merge_results(
            Reference(margins={}, replicates=(Replicate(seed=5, metrics={"y": {"r2": 0.0}}),)), results
        )
        assert merge_results(once, results) == once

    @pytest.mark.parametrize(
        ("task", "name"),
        [("replicate", "code"), ("replicate", "data files"), ("perturbation", "code"), ("perturbation", "data")],
    )
    def test_runs_of_other_code_or_data_are_refused(self, task: Kind, name: str) -> None:
        """They would be no replicates of the bundle; what differs is named."""
        with pytest.raises(LaunchError, match=rf"{name} of the project differs from the bundle's \(here\)"):
            refuse_changes(Task(kind=task, number=0), [Gate(name=name, state="different", detail="here")])

    def test_another_seed_may_split_the_data_in_another_way(self) -> None:
        """Arrays after the split, and the scaler fitted to them, are not held against a replicate."""
        gates = [Gate(name=name, state="different") for name in ("data", "target scaler")]
        refuse_changes(Task(kind="replicate", number=0), [*gates, Gate(name="code", state="unknown")])

"""Make the reference of a bundle: fresh-seed replicates and one-ulp perturbation runs, on one machine or on many.

Each run is one fresh process (`reproof.reproducing.worker`), because launchers silently change the number of
threads, and with it the bits. The runs are queued in a storage of Optuna: every machine starts the same command with
the same bundle, takes runs that no other has taken, and writes the reference into its bundle when all are done.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from reproof.bundle.numbers import read_metrics, spell_hex
from reproof.bundle.reader import open_bundle
from reproof.bundle.records import REFERENCE, Bundle, Perturbation, Reference, Replicate
from reproof.bundle.writer import write_reference
from reproof.errors import LaunchError, ReproofError
from reproof.integrations.trial_queue import DEFAULT_LEASE_SECONDS, POLL_SECONDS, Attempt, TrialQueue, open_storage
from reproof.launch.processes import signals_as_exit
from reproof.reproducing.entry import find_entry
from reproof.reproducing.gates import check_files, check_result
from reproof.reproducing.margins import complete_margins
from reproof.reproducing.worker import run_training

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reproof.reproducing.evidence import Gate

DEFAULT_REPLICATES: Final = 10
DEFAULT_PERTURBATIONS: Final = 5

SEED_FREE_GATES: Final = frozenset({"code", "data files"})
"""What is the same whatever the seed; arrays after the split and the scaler fitted to them need not be."""

Kind = Literal["replicate", "perturbation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A run to make.

    Attributes:
        kind: Whether it has another seed, or one weight moved.
        number: The seed, or the number of the perturbation.
    """

    kind: Kind
    number: int

    @property
    def name(self) -> str:
        """Its name in the queue."""
        return f"{self.kind} {self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicateRequest:
    """What to make, and where.

    Attributes:
        folder: The bundle.
        num_replicates: Fresh-seed runs that the reference shall have.
        num_perturbations: Perturbation runs that it shall have.
        storage: URL of a database, path of a journal file, or None for a journal beside the bundle.
        num_workers: Runs at the same time, here.
        lease_seconds: How long a worker may be silent before its run is given to another.
    """

    folder: Path
    num_replicates: int = DEFAULT_REPLICATES
    num_perturbations: int = DEFAULT_PERTURBATIONS
    storage: str | None = None
    num_workers: int = 1
    project: Path = Path()
    lease_seconds: float = DEFAULT_LEASE_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far the runs are, on all machines.

    Attributes:
        num_lost: Times that a worker was lost.
    """

    num_done: int
    num_running: int
    num_tasks: int
    num_lost: int


def make_reference(request: ReplicateRequest, watch: Callable[[Progress], None] = lambda _: None) -> Reference:
    """Make the runs that a bundle's reference lacks, sharing them with other machines, and write the reference.

    Args:
        request: What to make.
        watch: Called whenever something may have changed.

    Raises:
        BundleError: If the bundle is refused.
        LaunchError: If the project is not that of the bundle, which is seen before anything is queued; if runs failed:
            the others are kept in the storage, and the next call tries the failed ones again.
        UsageError: If the storage cannot be opened.

    Effects: runs the user's training; writes to the storage, and the reference into the bundle.
    """
    bundle = open_bundle(request.folder)
    identity = identify(bundle)
    tasks = plan_tasks(bundle, identity, request)
    if not tasks:
        return bundle.reference or Reference(margins=bundle.manifest.margins, alpha=bundle.manifest.alpha)
    refuse_other_project(bundle, request.project)
    storage = open_storage(request.storage or default_journal(bundle.folder))
    queue = TrialQueue(storage, f"reproof-{identity[:16]}", lease_seconds=request.lease_seconds)
    with tempfile.TemporaryDirectory(prefix="reproof-replicates-") as scratch:

        def run(task: Task) -> dict[str, Any]:
            return train_again(bundle, Path(scratch, task.name.replace(" ", "-")), request.project, task)

        results = run_all(queue, tasks, run, num_workers=request.num_workers, watch=watch)
    return add_results(request.folder, results)


def identify(bundle: Bundle) -> str:
    """Return a digest of what the runs depend on: every file of the bundle but the reference itself."""
    lines = sorted(f"{entry.path} {entry.sha256}\n" for entry in bundle.manifest.files if entry.path != REFERENCE)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def default_journal(folder: Path) -> Path:
    """Return the journal file beside a bundle: inside it would be a file that the manifest does not list."""
    path = folder.absolute()
    return path.with_name(f"{path.name}.replicates.journal")


def plan_tasks(bundle: Bundle, identity: str, request: ReplicateRequest) -> list[Task]:
    """Return the runs that the reference lacks; the same on every machine that has the same bundle."""
    reference = bundle.reference or Reference(margins={})
    have = {replicate.seed for replicate in reference.replicates}
    lacking = [seed for seed in draw_seeds(identity, request.num_replicates, bundle.seed) if seed not in have]
    replicates = lacking[: max(0, request.num_replicates - len(have))]
    perturbations = range(len(reference.perturbations), request.num_perturbations)
    return [
        *(Task(kind="replicate", number=seed) for seed in replicates),
        *(Task(kind="perturbation", number=number) for number in perturbations),
    ]


def draw_seeds(identity: str, count: int, trial_seed: int) -> list[int]:
    """Return fresh seeds: derived from the bundle's digest, so that nobody can choose them and all machines agree."""
    seeds: list[int] = []
    number = 0
    while len(seeds) < count:
        digest = hashlib.sha256(f"{identity} seed {number}".encode()).digest()
        seed = int.from_bytes(digest[:4], "big")
        number += 1
        if seed != trial_seed and seed not in seeds:
            seeds.append(seed)
    return seeds


def train_again(bundle: Bundle, out: Path, project: Path, task: Task) -> dict[str, Any]:
    """Make one run in a fresh process, and return its result as plain values.

    Raises LaunchError if the training fails, or if code or data are not those of the bundle. Effects: what the training
    writes in the project; its trace is removed.
    """
    shutil.rmtree(out, ignore_errors=True)  # left by a run that was interrupted
    gates = check_files(bundle, project, bundle.manifest.entry)
    seed, perturb = (task.number, None) if task.kind == "replicate" else (None, task.number)
    found = run_training(bundle.folder, out, seed=seed, perturb=perturb, project=project)
    refuse_changes(task, check_result(bundle, project, found, gates))
    shutil.rmtree(out, ignore_errors=True)
    return {
        "metrics": spell_hex(found.metrics),
        "losses": [loss.hex() for loss in found.losses],
        "weights": found.weights,
        "weight": found.perturbed,
    }


def refuse_other_project(bundle: Bundle, project: Path) -> None:
    """Refuse a project whose code or data are not those of the bundle.

    Raises LaunchError if it lacks the training, or its code or data files differ from the bundle's.
    """
    folder = Path(os.path.abspath(project))  # noqa: PTH100  # links stay
    find_entry(folder, bundle.manifest.entry)
    refuse_changes(Task(kind="replicate", number=0), check_files(bundle, folder, bundle.manifest.entry))


def refuse_changes(task: Task, gates: Sequence[Gate]) -> None:
    """Refuse a run that used other code or data than the bundle's training.

    A different seed may split the data differently, so for a replicate only code and data files must match. Raises
    LaunchError if something differs that must not.
    """
    different = [gate for gate in gates if gate.state == "different"]
    if task.kind == "replicate":
        different = [gate for gate in different if gate.name in SEED_FREE_GATES]
    if different:
        raise LaunchError(
            f"{different[0].name} of the project differs from the bundle's ({different[0].detail})",
            "make the reference with the code and the data of the bundle",
        )


def run_all(
    queue: TrialQueue,
    tasks: Sequence[Task],
    run: Callable[[Task], dict[str, Any]],
    *,
    num_workers: int = 1,
    watch: Callable[[Progress], None] = lambda _: None,
) -> dict[Task, dict[str, Any]]:
    """Take runs from the queue until all of them have ended, here or elsewhere, and return their results.

    `run` makes one and returns plain values, `num_workers` at the same time here; `watch` is called whenever something
    may have changed. Raises LaunchError if one failed; all others are made first. Effects: on Ctrl-C, SIGTERM or
    SIGHUP, the runs under way are given back to the queue.
    """
    by_name = {task.name: task for task in tasks}
    queue.enqueue(by_name)
    stop = threading.Event()

    def work() -> None:
        _work(queue, by_name, run, stop, watch)

    with signals_as_exit(), ThreadPoolExecutor(num_workers - 1 or 1) as others:
        waiting = [others.submit(work) for _ in range(num_workers - 1)]
        try:
            work()
            for future in waiting:
                future.result()
        finally:
            stop.set()
    return _collect(queue, by_name)


def _work(
    queue: TrialQueue,
    by_name: dict[str, Task],
    run: Callable[[Task], dict[str, Any]],
    stop: threading.Event,
    watch: Callable[[Progress], None],
) -> None:
    """Make runs until every run has ended, here or elsewhere."""
    while not stop.is_set():
        queue.recover()
        attempt = queue.claim(by_name)
        watch(measure_progress(queue, by_name))
        if attempt is not None:
            _run_attempt(queue, attempt, partial(run, by_name[attempt.task]), stop)
        elif all(attempts[-1].is_final for name, attempts in queue.read().items() if name in by_name):
            return
        else:
            stop.wait(POLL_SECONDS)


def _run_attempt(queue: TrialQueue, attempt: Attempt, run: Callable[[], dict[str, Any]], stop: threading.Event) -> None:
    start = time.monotonic()
    with queue.beating(attempt):
        try:
            result = run()
        except ReproofError as error:
            if stop.is_set():  # Ctrl-C reaches the processes of all threads
                queue.give_back(attempt)
            else:
                queue.fail(attempt, str(error))
            return
        except BaseException:
            queue.give_back(attempt)
            raise
        queue.complete(attempt, result, time.monotonic() - start)


def measure_progress(queue: TrialQueue, by_name: dict[str, Task]) -> Progress:
    """Return how far these runs are."""
    tried = [attempts for name, attempts in queue.read().items() if name in by_name]
    return Progress(
        num_done=sum(attempts[-1].is_final for attempts in tried),
        num_running=sum(attempts[-1].state == "running" for attempts in tried),
        num_tasks=len(by_name),
        num_lost=sum(attempt.state == "lost" for attempts in tried for attempt in attempts),
    )


def _collect(queue: TrialQueue, by_name: dict[str, Task]) -> dict[Task, dict[str, Any]]:
    known = queue.read()
    last = {task: known[name][-1] for name, task in by_name.items()}
    if broken := [attempt for attempt in last.values() if attempt.result is None]:
        reason = broken[0].error or "the worker was lost each time"
        raise LaunchError(
            f"{len(broken)} of {len(last)} runs failed, such as {broken[0].task}: {reason}",
            "remove the cause and start the same command again; the other runs are kept",
        )
    return {task: attempt.result for task, attempt in last.items() if attempt.result is not None}


def add_results(folder: Path, results: dict[Task, dict[str, Any]]) -> Reference:
    """Add results to the reference of a bundle, unless it has them already.

    Margins that the user has chosen, or that an earlier reference has, stay as they are. Effects: replaces
    `reference.json` and the manifest, atomically.
    """
    bundle = open_bundle(folder)
    before = bundle.reference or Reference(margins=bundle.manifest.margins, alpha=bundle.manifest.alpha)
    reference = merge_results(before, results)
    if reference != before:
        write_reference(bundle.folder, reference)
    return reference


def merge_results(before: Reference, results: dict[Task, dict[str, Any]]) -> Reference:
    """Return a reference with results added."""
    have = {replicate.seed for replicate in before.replicates}
    replicates = tuple(
        Replicate(seed=task.number, metrics=read_metrics(result["metrics"]))
        for task, result in results.items()
        if task.kind == "replicate" and task.number not in have
    )
    perturbations = tuple(
        Perturbation(
            losses=tuple(map(float.fromhex, result["losses"])),
            metrics=read_metrics(result["metrics"]),
            weight=result["weight"],
        )
        for task, result in results.items()
        if task.kind == "perturbation" and task.number >= len(before.perturbations)
    )
    every = (*before.replicates, *replicates)
    return replace(
        before,
        margins=complete_margins(before.margins, every),
        replicates=every,
        perturbations=(*before.perturbations, *perturbations),
    )

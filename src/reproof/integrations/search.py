"""Search for a configuration in several processes, on one machine or on many, and keep the best trial as a bundle.

    # scripts/optimize.py
    study = Search(train=train, suggest=suggest, sampler=lambda seed: TPESampler(seed=seed))

    reproof search scripts/optimize.py:study --trials 20 --workers 2

`suggest(trial)` returns the configuration of a trial, `train(config, run)` is the training of a `BestTrialBundle`. Each
worker is a process, because threads share their process's random generators and no trial would reproduce. A trial whose
worker is lost is queued once more, with the same parameters.
"""

from __future__ import annotations

import datetime
import importlib.util
import json
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from reproof.errors import DependencyError, LaunchError, ReproofError, UsageError
from reproof.integrations.optuna import BestTrialBundle, note_num_trials
from reproof.integrations.trial_queue import (
    DEFAULT_LEASE_SECONDS,
    ERROR,
    POLL_SECONDS,
    TASK,
    TrialQueue,
    open_storage,
    read_attempt,
)
from reproof.integrations.verifying import Verification, Verify, verify_bundle
from reproof.launch.parent import die_with_parent
from reproof.launch.processes import GRACE_SECONDS, signals_as_exit
from reproof.launch.start import start_command
from reproof.launch.tracebacks import show_exception

try:
    import optuna
    from optuna.trial import TrialState
except ModuleNotFoundError:
    raise DependencyError("Optuna is not installed", "pip install 'reproof[search]'") from None

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import ModuleType

    from reproof.bundle.training import TrainingRun


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What a search tries.

    Attributes:
        train: The training, a function at the top of a file of the project.
        suggest: Returns the configuration of a trial: every value, resolved.
        sampler: Returns a sampler for a seed, or for None, which is any; None for Optuna's own.
        pruner: The pruner, or None for Optuna's own.
        options: Of `BestTrialBundle`, such as ``margins``.
    """

    train: Callable[[dict[str, Any], TrainingRun], Mapping[str, Mapping[str, Any]]]
    suggest: Callable[[optuna.Trial], Any]
    direction: Literal["minimize", "maximize"] = "minimize"
    sampler: Callable[[int | None], optuna.samplers.BaseSampler] | None = None
    pruner: optuna.pruners.BasePruner | None = None
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRequest:
    """How a search is run.

    Attributes:
        name: ``path/to/script.py:variable`` of the `Search`.
        bundle: Folder of the bundle.
        storage: URL of a database, path of a journal file, or None for a journal beside the bundle.
        num_trials: Trials that the study shall have, on all machines together, pruned ones included.
        num_workers: Processes here.
        seed: Seed of the first worker's sampler in a new study; others draw theirs, or they would try the same.
        lease_seconds: How long a worker may be silent before its trial is queued once more.
        verify: Whether the winner is trained once more in a fresh process: when the search ends, each time that another
            trial leads, or not.
    """

    name: str
    bundle: Path
    storage: str | None = None
    study: str = "search"
    num_trials: int = 20
    num_workers: int = 1
    seed: int = 0
    project: Path = Path()
    lease_seconds: float = DEFAULT_LEASE_SECONDS
    verify: Verify = "best"


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundTrial:
    """What a search has found: the best trial's number and value, how many trials have ended, whether it reproduces.

    The last is None if it was not verified here.
    """

    number: int
    value: float
    num_trials: int
    verification: Verification | None = None


def run_search(request: SearchRequest) -> FoundTrial:
    """Run a search in fresh processes, together with other machines that work on the study.

    Raises LaunchError if a worker fails, or no trial was completed; UsageError if the script has no such `Search`, or
    the storage cannot be opened. Effects: runs the user's training; writes to the storage and the bundle.
    """
    split_name(request.name)
    place = request.storage or str(default_journal(request))
    with tempfile.TemporaryDirectory(prefix="reproof-search-") as errors, discarding_empty(place):
        storage = open_storage(place)
        fixed = [request.name, str(request.bundle), place, request.study, str(request.num_trials), str(request.seed)]
        fixed += [str(request.project), str(request.lease_seconds), request.verify, errors]
        codes = run_workers([*start_command("reproof.integrations.search"), *fixed], request.num_workers)
        raise_first(Path(errors))
    if any(codes):
        raise LaunchError(f"{sum(map(bool, codes))} of {len(codes)} workers of the search failed", "see above")
    best = find_best(storage, request.study)
    if request.bundle.is_dir():
        note_num_trials(request.bundle, optuna.load_study(storage=storage, study_name=request.study))
    if request.verify == "best" and request.bundle.is_dir():  # another machine may have kept it
        best = replace(best, verification=verify_bundle(request.bundle, request.project))
    return best


@contextmanager
def discarding_empty(place: str) -> Iterator[None]:
    """Remove the journal file of a search that failed before it created a study, unless the file existed before."""
    path = None if "://" in place or Path(place).exists() else Path(place)
    try:
        yield
    except BaseException:
        if path is not None and path.is_file() and not path.stat().st_size:
            path.unlink()
        raise


def run_workers(command: Sequence[str], num_workers: int) -> list[int]:
    """Run workers to their end and return their exit codes.

    Effects: on Ctrl-C, SIGTERM or SIGHUP they are interrupted first.
    """
    workers: list[subprocess.Popen[bytes]] = []
    with signals_as_exit():
        try:
            workers.extend(start_worker([*command, str(number)]) for number in range(num_workers))
            return [worker.wait() for worker in workers]
        finally:
            end_workers(workers)


def start_worker(command: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start a worker with SIGINT blocked, which it unblocks once its handler is set: see `interrupt_quietly`."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603  # our own worker
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_workers(workers: Sequence[subprocess.Popen[bytes]]) -> None:
    """Interrupt the workers that are left, so that they give back their trials; kill those that take too long."""
    deadline = time.monotonic() + GRACE_SECONDS
    try:
        for worker in workers:
            worker.send_signal(signal.SIGINT)  # no effect on a process that has ended
        for worker in workers:
            worker.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        pass
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()


def raise_first(errors: Path) -> None:
    """Raise the error that ended a worker, once for all of them. Raises UsageError if there is one."""
    for path in sorted(errors.iterdir()):
        problem, remedy = json.loads(path.read_text(encoding="utf-8"))
        raise UsageError(problem, remedy)


def default_journal(request: SearchRequest) -> Path:
    """Return the journal file beside a bundle."""
    path = request.bundle.absolute()
    return path.with_name(f"{path.name}.search.journal")


def find_best(storage: optuna.storages.BaseStorage, name: str) -> FoundTrial:
    """Return the best trial of a study. Raises LaunchError if none was completed."""
    study = optuna.load_study(storage=storage, study_name=name)
    try:
        best = study.best_trial
    except ValueError:
        raise LaunchError(f"no trial of the study {name} was completed", "see why they failed or were pruned") from None
    ended = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
    return FoundTrial(number=best.number, value=float(best.values[0]), num_trials=len(ended))


def split_name(name: str) -> tuple[Path, str]:
    """Return script and variable of ``path/to/script.py:variable``.

    Raises UsageError if the name has another form, or there is no such file.
    """
    path, colon, variable = name.rpartition(":")
    if not colon or not variable.isidentifier() or not path.endswith(".py"):
        raise UsageError(f"{name} names no search", "name it as script.py:study")
    if not Path(path).is_file():
        raise UsageError(f"there is no file {path}", "name the script of the search")
    return Path(path), variable


def load_search(name: str, project: Path) -> Search:
    """Import a script as Python imports a module, and return its search.

    Raises UsageError if it has none of that name and whatever the script raises. Effects: puts the project and the
    script's folder first on `sys.path`.
    """
    path, variable = split_name(name)
    sys.path[:0] = [str(path.resolve().parent), str(project.resolve())]
    spec = importlib.util.spec_from_file_location(path.stem, path.resolve())
    if spec is None or spec.loader is None:
        raise UsageError(f"{path} cannot be imported", "give it a plain name that ends in .py")
    module: ModuleType = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    found = getattr(module, variable, None)
    if not isinstance(found, Search):
        raise UsageError(
            f"{variable} of {path} is no Search", f"write {variable} = reproof.integrations.search.Search(...)"
        )
    return found


def work(search: Search, request: SearchRequest, *, is_first: bool) -> None:
    """Run trials in this process until the study has enough. Raises whatever the training raises."""
    verify: Verify = "each-best" if request.verify == "each-best" else "none"  # the parent does it at the end
    options = {**search.options, "verify": verify}
    bundle = BestTrialBundle(request.bundle, search.train, project=request.project, **options)
    bundle.refuse_foreign(request.study)
    queue = TrialQueue(
        open_storage(request.storage or default_journal(request)),
        request.study,
        lease_seconds=request.lease_seconds,
        direction=search.direction,
    )
    study = optuna.load_study(storage=queue.storage, study_name=request.study)
    if search.pruner is not None:
        study.pruner = search.pruner
    if search.sampler is not None:
        study.sampler = search.sampler(request.seed if is_first and not study.get_trials(deepcopy=False) else None)

    def objective(trial: optuna.Trial) -> float:
        return _run_trial(queue, trial, lambda: bundle.candidate(trial, search.suggest(trial)).run())

    while True:
        queue.recover()
        counts = count_states(study, request.lease_seconds)
        if counts["ended"] >= request.num_trials:
            return
        if counts["waiting"] or counts["ended"] + counts["running"] < request.num_trials:
            study.optimize(objective, n_trials=1, callbacks=[bundle])
        else:
            time.sleep(POLL_SECONDS)  # a run under way may still be lost


def count_states(study: optuna.Study, lease_seconds: float) -> dict[str, int]:
    """Return how many trials have ended with a value or pruned, are under way, or wait to be run again."""
    trials = study.get_trials(deepcopy=False)
    states = [trial.state for trial in trials]
    return {
        "ended": sum(state in {TrialState.COMPLETE, TrialState.PRUNED} for state in states),
        "running": sum(
            trial.state == TrialState.RUNNING and not _is_abandoned(trial, lease_seconds) for trial in trials
        ),
        "waiting": states.count(TrialState.WAITING),
    }


def _is_abandoned(trial: optuna.trial.FrozenTrial, lease_seconds: float) -> bool:
    """Whether a trial was begun long ago and has no task: its worker died between the two."""
    start = trial.datetime_start
    if TASK in trial.user_attrs or start is None:
        return False
    return (datetime.datetime.now(tz=start.tzinfo) - start).total_seconds() > lease_seconds


def _run_trial(queue: TrialQueue, trial: optuna.Trial, train: Callable[[], float]) -> float:
    """Run a trial under a lease; an error of its training is recorded, so that it does not count as a lost worker."""
    if TASK not in trial.user_attrs:
        trial.set_user_attr(TASK, f"trial {trial.number}")
    attempt = read_attempt(trial.study.get_trials(deepcopy=False)[trial.number])
    if attempt is None:
        raise LaunchError(f"trial {trial.number} has lost its attributes", "use a storage that keeps them")
    with queue.beating(attempt):
        try:
            return train()
        except optuna.TrialPruned:
            raise
        except Exception as error:
            trial.set_user_attr(ERROR, f"{type(error).__name__}: {error}")
            raise


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a worker in a fresh process; on an error, write it to a file for the parent and exit with 2."""
    options = sys.argv[1:] if arguments is None else list(arguments)
    name, bundle, storage, study, num_trials, seed, project, lease, verify, errors, number = options
    die_with_parent()
    request = SearchRequest(
        name=name,
        bundle=Path(bundle),
        storage=storage,
        study=study,
        num_trials=int(num_trials),
        seed=int(seed),
        project=Path(project),
        lease_seconds=float(lease),
        verify=cast("Verify", verify),
    )
    try:
        interrupt_quietly()
        work(load_search(name, request.project), request, is_first=number == "0")
    except ReproofError as error:
        Path(errors, number).write_text(json.dumps([error.problem, error.remedy]), encoding="utf-8")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:  # noqa: BLE001  # whatever the script or its training raises
        show_exception(error)
        sys.exit(1)


def interrupt_quietly() -> None:
    """Make Ctrl-C end this process without a message from Optuna about the trial under way.

    Effects: sets a handler of SIGINT and unblocks the signal. Only the first one counts, as terminal and parent may
    both send it.
    """

    def interrupt(number: int, _frame: object) -> None:
        signal.signal(number, signal.SIG_IGN)
        optuna.logging.set_verbosity(optuna.logging.CRITICAL)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})

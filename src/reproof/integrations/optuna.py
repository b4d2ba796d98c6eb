"""Keep the best trial of an Optuna study as a bundle.

    bundle = BestTrialBundle("optuna_best", train)

    def objective(trial):
        config = suggest(trial)
        return bundle.candidate(trial, config).run()

    study.optimize(objective, n_trials=20, callbacks=[bundle])

`train(config, run)` is an importable function; it reports each epoch's value to `run`, which prunes. A trial is kept
once Optuna has its value: pruned and failed trials never are, and of several processes on one storage each compares
with what lies in the folder, under a lock.
"""

from __future__ import annotations

import atexit
import inspect
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

from reproof.bundle.config import DEFAULT_SEED_KEY, plain_config, read_seed
from reproof.bundle.manifest import check_entry, read_listed, read_manifest
from reproof.bundle.reader import read_trial
from reproof.bundle.records import (
    DEFAULT_ALPHA,
    EARLIER,
    JOBLIB_SCALER,
    MANIFEST,
    TRACE,
    TRIAL,
    Direction,
    Metrics,
    TrialInfo,
)
from reproof.bundle.replacing import discard_staging, locked, make_staging, replace_folder
from reproof.bundle.training import TrainingOutcome, TrainingRequest, TrainingRun, run_training
from reproof.bundle.writer import BundleContents, write_bundle
from reproof.bundle.yaml_format import MAX_YAML_BYTES, dump_yaml, parse_yaml
from reproof.errors import DependencyError, UsageError
from reproof.integrations.verifying import Verification, Verify, verify_bundle, warn_if_not

try:
    import optuna
except ModuleNotFoundError:
    raise DependencyError("Optuna is not installed", "pip install 'reproof[search]'") from None

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Train = Callable[[dict[str, Any], TrainingRun], Mapping[str, Mapping[str, Any]]]

RETRY_ATTRIBUTE = "failed_trial"
"""Where Optuna's `RetryFailedTrialCallback` notes which trial another one repeats."""

__all__ = ["BestTrialBundle", "Candidate", "TrainingRun", "name_entry"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleOptions:
    """How candidates of a bundle are trained and kept.

    Attributes:
        seed_key: Key of the seed in the configuration, with dots.
        device: What the training is told to train on.
        num_threads: Threads of one CPU operation, or None to leave their number alone; what is in use is recorded.
        is_deterministic: Whether operations without a deterministic implementation raise; else they only warn.
        margins: Largest difference that counts as equivalent, per target and metric, or empty.
        alpha: Significance level of the verdict.
        replaces: Whether the bundle of another study is replaced.
        verify: Whether the winner is trained once more in a fresh process: ``"best"`` when this process ends, or when
            `BestTrialBundle.verify` is called; ``"each-best"`` each trial as soon as it leads; or ``"none"``. A warning
            tells that one does not reproduce, and why.
    """

    seed_key: str = DEFAULT_SEED_KEY
    device: str = "cpu"
    num_threads: int | None = None
    is_deterministic: bool = True
    margins: Metrics | None = None
    alpha: float = DEFAULT_ALPHA
    replaces: bool = False
    verify: Verify = "none"

    def __post_init__(self) -> None:
        """Check what can be checked before anything runs."""
        if self.verify not in get_args(Verify):
            raise UsageError(f"verify={self.verify!r}", f"choose from {', '.join(get_args(Verify))}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Finished:
    """A trial that has ended, but whose value Optuna does not have yet."""

    staging: Path
    config: dict[str, Any]
    outcome: TrainingOutcome
    earlier: dict[str, Any]


@dataclass(slots=True, kw_only=True)
class StartedTraining:
    """A training that this process has begun, whatever became of it."""

    entry: str
    number: int
    config: dict[str, Any]
    num_reports: int = 0
    is_cut: bool = False


_STARTED: Final[list[StartedTraining]] = []
"""A process that is forked inherits what these have left, and so inherits the list."""

MAX_EARLIER: Final = 50
MAX_EARLIER_BYTES: Final = 256 << 10
"""Of more trainings, or larger configurations, only the number is kept: `trial_info.yaml` has a limit."""


def describe_earlier(entry: str) -> dict[str, Any]:
    """Return what this process has trained so far with a training, for the details of the next trial."""
    found = [started for started in _STARTED if started.entry == entry]
    trainings = [
        {"number": item.number, "config": item.config, "num_epochs": item.num_reports if item.is_cut else None}
        for item in found
    ]
    is_short = len(found) <= MAX_EARLIER and len(dump_yaml({"trainings": trainings})) <= MAX_EARLIER_BYTES
    return {"count": len(found), "trainings": trainings if is_short else []}


class BestTrialBundle:
    """Callback of a study that keeps its best trial in a folder.

    Attributes:
        folder: The folder.
        entry: Name of the training, as the bundle has it.
    """

    def __init__(
        self, folder: str | os.PathLike[str], train: Train, *, project: str | os.PathLike[str] = ".", **options: Any
    ) -> None:
        """Prepare to keep trials; nothing is written yet.

        Args:
            folder: Where the bundle goes; created with the first trial that is kept.
            train: The training, a function at the top of a module of the project.
            project: Folder that names of files and modules are relative to.
            **options: Fields of `BundleOptions`.

        Raises:
            UsageError: If the training cannot be found again by a name.
        """
        self.folder = Path(folder).absolute()
        self._project = Path(project).resolve()
        self._train = train
        self._options = BundleOptions(**options)
        self._finished: dict[tuple[str, int], _Finished] = {}
        self._is_unverified = False
        self._process = os.getpid()
        self.entry = name_entry(train, self._project)

    def candidate(self, trial: optuna.Trial, config: Any) -> Candidate:
        """Return a trial as a candidate for the bundle.

        Args:
            trial: The trial, in the objective.
            config: Every value that the training uses, resolved: a mapping, or a configuration of OmegaConf.

        Raises:
            BundleError: If the configuration holds values that are not plain.
            UsageError: If it has no seed, or the folder holds something else.
        """
        study = trial.study
        if len(study.directions) != 1:
            raise UsageError(f"study {study.study_name} has {len(study.directions)} objectives", "bundle one objective")
        self.refuse_foreign(study.study_name)
        plain = plain_config(config)
        return Candidate(self, trial, plain, read_seed(plain, self._options.seed_key))

    def __call__(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        """Keep a trial that has ended, if it is the best of its study so far.

        Effects: replaces the folder, or removes what the trial had prepared.
        """
        finished = self._finished.pop((study.study_name, trial.number), None)
        if finished is None:
            return
        try:
            is_complete = trial.state == optuna.trial.TrialState.COMPLETE and trial.value is not None
            is_kept = is_complete and self._keep(study, trial, finished)
        finally:
            discard_staging(finished.staging)
        if is_kept:
            self._verify_later()

    def verify(self) -> Verification:
        """Train the trial in the folder once more in a fresh process; warns if it does not reproduce.

        Returns:
            What that has shown.

        Effects: as `reproof.reproduce`.
        """
        self._is_unverified = False
        found = verify_bundle(self.folder, self._project)
        warn_if_not(self.folder, found)
        return found

    def _verify_later(self) -> None:
        """Verify a trial that has just been kept, now or when this process ends."""
        if self._options.verify == "each-best":
            self.verify()
        elif self._options.verify == "best" and not self._is_unverified:
            self._is_unverified = True
            atexit.register(self._verify_at_exit)

    def _verify_at_exit(self) -> None:
        if self._is_unverified and os.getpid() == self._process and not hasattr(sys, "last_value"):
            self.verify()

    def _keep(self, study: optuna.Study, trial: optuna.trial.FrozenTrial, finished: _Finished) -> bool:
        """Put a trial into the folder if it is the best so far, and return whether it was."""
        info = describe_trial(study, trial, finished.outcome)
        info = replace(info, details={**info.details, EARLIER: finished.earlier})
        options, outcome = self._options, finished.outcome
        with locked(self.folder):
            current = self._read_current()
            if current is not None and current.study == info.study and not info.is_better_than(current):
                return False
            self.refuse_foreign(study.study_name)
            contents = BundleContents(
                entry=self.entry,
                seed_key=options.seed_key,
                config=finished.config,
                trial=info,
                weights={"best": outcome.best, "last": outcome.last},
                environment=outcome.environment,
                code=outcome.code,
                data=outcome.data,
                scaler=outcome.scaler,
                margins=options.margins or {},
                alpha=options.alpha,
            )
            write_joblib(finished.staging, outcome.scaler_object)
            write_bundle(finished.staging, contents)
            replace_folder(finished.staging, self.folder)
        return True

    def refuse_foreign(self, study: str) -> None:
        """Refuse a folder that holds something else; called for each candidate and at the start of a search.

        Raises:
            UsageError: If the folder holds no bundle, or that of another study.
        """
        if not self.folder.exists() or self._options.replaces:
            return
        if not (self.folder / MANIFEST).is_file():
            if self.folder.is_dir() and not any(self.folder.iterdir()):
                return
            raise UsageError(f"{self.folder} is no bundle", "name a folder that is new, or remove it")
        current = self._read_current()
        if current is not None and current.study != study:
            raise UsageError(
                f"{self.folder} holds the bundle of {name_study(current.study)}, not of {study}",
                "name another folder, go on with that study by its name and storage, or pass replaces=True",
            )

    def _read_current(self) -> TrialInfo | None:
        """Return the trial that the folder holds, or None."""
        if not (self.folder / MANIFEST).is_file():
            return None
        manifest = read_manifest(self.folder)
        entry = next(entry for entry in manifest.files if entry.path == TRIAL)
        return read_trial(parse_yaml(read_listed(self.folder, entry, MAX_YAML_BYTES), TRIAL))

    def run_candidate(self, trial: optuna.Trial, config: dict[str, Any], seed: int) -> float:
        """Train a candidate and return its value; `Candidate.run` is how an objective does it."""
        study, options = trial.study, self._options
        staging = make_staging(self.folder, str(trial.number))
        request = TrainingRequest(
            seed=seed,
            project=self._project,
            entry=self.entry,
            trace=staging / TRACE,
            direction=direction_of(study),
            device=options.device,
            num_threads=options.num_threads,
            is_deterministic=options.is_deterministic,
        )
        earlier = describe_earlier(self.entry)
        started = StartedTraining(entry=self.entry, number=trial.number, config=config)
        _STARTED.append(started)

        def on_report(epoch: int, value: float) -> None:
            started.num_reports += 1
            report(trial, epoch, value)

        try:
            outcome = run_training(self._train, config, request, on_report)
        except BaseException:
            started.is_cut = True
            discard_staging(staging)
            raise
        key = (study.study_name, trial.number)
        self._finished[key] = _Finished(staging=staging, config=config, outcome=outcome, earlier=earlier)
        for name, value in outcome.metrics.items():
            trial.set_user_attr(f"metrics {name}", value)
        return outcome.value


class Candidate:
    """A trial that may become the bundle."""

    def __init__(self, bundle: BestTrialBundle, trial: optuna.Trial, config: dict[str, Any], seed: int) -> None:
        """Use `BestTrialBundle.candidate`.

        Args:
            bundle: Where it may be kept.
            trial: The trial.
            config: Plain values.
            seed: The seed in it.
        """
        self._bundle = bundle
        self._trial = trial
        self._config = config
        self._seed = seed

    def run(self) -> float:
        """Train, and return the best reported value, for the objective to return.

        Raises:
            TrialPruned: If the study's pruner ends the trial.
            UsageError: If two run at once in this process.

        Effects: as `reproof.bundle.training.run_training`; writes beside the bundle's folder.
        """
        return self._bundle.run_candidate(self._trial, self._config, self._seed)


def name_study(name: str | None) -> str:
    """Return a study in words; an imported bundle has none."""
    return "no study" if name is None else f"the study {name}"


def report(trial: optuna.Trial, epoch: int, value: float) -> None:
    """Report a value to Optuna, and end the trial if its pruner says so.

    Raises:
        TrialPruned: If the trial is pruned.
    """
    trial.report(value, epoch)
    if trial.should_prune():
        raise optuna.TrialPruned(f"after epoch {epoch}")


def direction_of(study: optuna.Study) -> Direction:
    """Return the direction of a study with one objective."""
    return "maximize" if study.direction == optuna.study.StudyDirection.MAXIMIZE else "minimize"


def describe_trial(study: optuna.Study, trial: optuna.trial.FrozenTrial, outcome: TrainingOutcome) -> TrialInfo:
    """Return what a bundle records of a trial."""
    complete = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    distributions = {
        name: optuna.distributions.distribution_to_json(distribution)
        for name, distribution in trial.distributions.items()
    }
    if trial.value is None:
        raise UsageError(f"trial {trial.number} has no value", "keep trials that are complete")
    return TrialInfo(
        study=study.study_name,
        number=trial.number,
        direction=direction_of(study),
        value=trial.value,
        params=plain_config(trial.params),
        metrics=outcome.metrics,
        best_epoch=outcome.best_epoch,
        num_epochs=outcome.num_epochs,
        num_trials=len(complete),
        retry_of=trial.system_attrs.get(RETRY_ATTRIBUTE),
        details={
            "distributions": distributions,
            "sampler": type(study.sampler).__name__,
            "pruner": type(study.pruner).__name__,
            "optuna": optuna.__version__,
        },
    )


def write_joblib(folder: Path, scaler: Any) -> None:
    """Write a scaler in the form that other programs expect; reproof never loads it."""
    if scaler is None:
        return
    try:
        import joblib
    except ModuleNotFoundError:
        return  # it comes with scikit-learn, whose scaler this is
    joblib.dump(scaler, folder / JOBLIB_SCALER)


def name_entry(train: Train, project: Path) -> str:
    """Return the name by which a fresh process finds a training function: ``path/to/file.py:function``.

    Raises:
        UsageError: If it is no function at the top of a file of the project.
    """
    function = inspect.unwrap(train)
    code = getattr(function, "__code__", None)
    name = getattr(function, "__qualname__", repr(train))
    path = Path(code.co_filename).resolve() if code is not None else Path()
    if code is None or not name.isidentifier() or not path.is_relative_to(project) or not path.is_file():
        raise UsageError(
            f"the training {name} is no function at the top of a file in {project}",
            "define it there, or name the project's folder with project=",
        )
    try:
        return check_entry(f"{path.relative_to(project).as_posix()}:{name}")
    except ValueError as error:
        raise UsageError(str(error), "give the file a plain name") from None

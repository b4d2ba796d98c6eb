"""Keep the best trial of an Optuna study as a bundle.

    bundle = BestTrialBundle("optuna_best", train)

    def objective(trial):
        config = suggest(trial)
        return bundle.candidate(trial, config).run()

    study.optimize(objective, n_trials=20, callbacks=[bundle])
    objective(optuna.trial.FixedTrial(params))  # without a study, the trial is kept as it is

`train(config, run)` is an importable function; it reports each epoch's value to `run`, which prunes. A trial is kept
once Optuna has its value: pruned and failed trials never are, and of several processes on one storage each compares
with what lies in the folder, under a lock.
"""

from __future__ import annotations

import atexit
import inspect
import os
import sys
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reproof.bundle.config import plain_config, read_seed
from reproof.bundle.manifest import check_entry, read_listed, read_manifest
from reproof.bundle.reader import read_trial
from reproof.bundle.records import EARLIER, MANIFEST, TRACE, TRIAL, Direction, TrialInfo
from reproof.bundle.replacing import discard_staging, locked, make_staging, replace_folder
from reproof.bundle.training import TrainingOutcome, TrainingRequest, TrainingRun, run_training
from reproof.bundle.writer import update_num_trials
from reproof.bundle.yaml_format import MAX_YAML_BYTES, dump_yaml, parse_yaml
from reproof.errors import DependencyError, ReproofError, UsageError
from reproof.integrations.keeping import BundleOptions, refuse_credentials, write_trial
from reproof.integrations.verifying import Verification, verify_bundle, warn_if_not

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
        entry: Name of the training, as the bundle has it.
    """

    def __init__(
        self, folder: str | os.PathLike[str], train: Train, *, project: str | os.PathLike[str] = ".", **options: Any
    ) -> None:
        """Prepare to keep trials; nothing is written yet.

        `train` is a function at the top of a module of the project, to whose folder names are relative; `options` are
        fields of `BundleOptions`. The folder is created with the first trial that is kept. Raises UsageError if the
        training cannot be found again by a name.
        """
        self.folder = Path(folder).absolute()
        self._project = Path(project).resolve()
        self._train = train
        self._options = BundleOptions(**options)
        self._finished: dict[tuple[str, int], _Finished] = {}
        self._is_unverified = False
        self._finishes = False
        self._is_checked = False
        self._study: optuna.Study | None = None
        self._process = os.getpid()
        self.entry = name_entry(train, self._project)

    def candidate(self, trial: optuna.Trial | optuna.trial.FixedTrial, config: Any) -> Candidate:
        """Return a trial as a candidate for the bundle.

        Args:
            trial: The trial, in the objective. A `FixedTrial` has no study to be the best of: it is kept when it has
                run, in the place of an earlier one.
            config: Every value that the training uses, resolved: a mapping, or a configuration of OmegaConf.

        Raises:
            BundleError: If the configuration holds values that are not plain.
            UsageError: If it has no seed, or the folder holds something else.
        """
        study = study_of(trial)
        if study is not None and len(study.directions) != 1:
            raise UsageError(
                f"study {study.study_name} has {len(study.directions)} objectives",
                "search first, and keep a trial of its front with `reproof bundle from-study --trial N`",
            )
        self.refuse_foreign(None if study is None else study.study_name)
        if self._options.keep_code and not self._is_checked:
            refuse_credentials(self._project, self.entry)
            self._is_checked = True
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
            self._finish_later(study)

    def verify(self) -> Verification:
        """Train the trial in the folder once more in a fresh process; warns if it does not reproduce.

        Returns what that has shown. Effects: as `reproof.reproduce`.
        """
        self._is_unverified = False
        found = verify_bundle(self.folder, self._project)
        warn_if_not(self.folder, found)
        return found

    def _finish_later(self, study: optuna.Study | None) -> None:
        """Verify a trial that has just been kept, now or when this process ends, which knows how many there were."""
        if not self._finishes:
            atexit.register(self._finish)
        self._finishes, self._study = True, study
        self._is_unverified = self._options.verify == "best"
        if self._options.verify == "each-best":
            self.verify()

    def _finish(self) -> None:
        if os.getpid() != self._process:
            return
        if self._study is not None:
            note_num_trials(self.folder, self._study)
        if self._is_unverified and not hasattr(sys, "last_value"):
            self.verify()

    def _keep(self, study: optuna.Study, trial: optuna.trial.FrozenTrial, finished: _Finished) -> bool:
        """Put a trial into the folder if it is the best so far, and return whether it was."""
        return self._put(describe_trial(study, trial, finished.outcome), finished)

    def _put(self, info: TrialInfo, finished: _Finished) -> bool:
        info = replace(info, details={**info.details, EARLIER: finished.earlier})
        with locked(self.folder):
            current = self._read_current()
            is_rival = current is not None and current.study == info.study is not None
            if current is not None and is_rival and not info.is_better_than(current):
                return False
            self.refuse_foreign(info.study)
            write_trial(finished.staging, self.entry, finished.config, info, finished.outcome, options=self._options)
            replace_folder(finished.staging, self.folder)
        return True

    def refuse_foreign(self, study: str | None) -> None:
        """Refuse a folder that holds something else; called for each candidate and at the start of a search.

        The study is None for a `FixedTrial`, which replaces another one. Raises UsageError if the folder holds no
        bundle, or that of another study.
        """
        if not self.folder.exists() or self._options.replaces:
            return
        if not (self.folder / MANIFEST).is_file():
            if self.folder.is_dir() and not any(self.folder.iterdir()):
                return
            raise UsageError(f"{self.folder} is no bundle", "name a folder that is new, or remove it")
        current = self._read_current()
        is_imported = study is None and read_manifest(self.folder).imported
        if current is not None and (current.study != study or is_imported):
            raise UsageError(
                f"{self.folder} holds the bundle of {name_study(current.study)}, not of {study or 'a FixedTrial'}",
                "name another folder, go on with that study by its name and storage, or pass replaces=True",
            )

    def _read_current(self) -> TrialInfo | None:
        """Return the trial that the folder holds, or None."""
        if not (self.folder / MANIFEST).is_file():
            return None
        manifest = read_manifest(self.folder)
        entry = next(entry for entry in manifest.files if entry.path == TRIAL)
        return read_trial(parse_yaml(read_listed(self.folder, entry, MAX_YAML_BYTES), TRIAL))

    def run_candidate(self, trial: optuna.Trial | optuna.trial.FixedTrial, config: dict[str, Any], seed: int) -> float:
        """Train a candidate and return its value; `Candidate.run` is how an objective does it."""
        study = study_of(trial)
        finished = self._train_candidate(trial, study, config, seed)
        for name, value in finished.outcome.metrics.items():
            trial.set_user_attr(f"metrics {name}", value)
        if study is not None:
            self._finished[study.study_name, trial.number] = finished
            return finished.outcome.value
        try:
            self._put(describe_fixed(trial, finished.outcome, self._options.direction), finished)
        finally:
            discard_staging(finished.staging)
        self._finish_later(None)
        return finished.outcome.value

    def _train_candidate(self, trial: Any, study: optuna.Study | None, config: dict[str, Any], seed: int) -> _Finished:
        options = self._options
        staging = make_staging(self.folder, str(trial.number))
        request = TrainingRequest(
            seed=seed,
            project=self._project,
            entry=self.entry,
            trace=staging / TRACE,
            direction=options.direction if study is None else direction_of(study),
            device=options.device,
            num_threads=options.num_threads,
            is_deterministic=options.is_deterministic,
            keeps_code=options.keep_code,
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
        return _Finished(staging=staging, config=config, outcome=outcome, earlier=earlier)


class Candidate:
    """A trial that may become the bundle."""

    def __init__(self, bundle: BestTrialBundle, trial: Any, config: dict[str, Any], seed: int) -> None:
        """Use `BestTrialBundle.candidate`. The configuration has plain values, among them the seed."""
        self._bundle = bundle
        self._trial = trial
        self._config = config
        self._seed = seed

    def run(self) -> float:
        """Train, and return the best reported value, for the objective to return.

        Raises TrialPruned if the study's pruner ends the trial and UsageError if two run at once in this process.
        Effects: as `reproof.bundle.training.run_training`; writes beside the bundle's folder.
        """
        return self._bundle.run_candidate(self._trial, self._config, self._seed)


def name_study(name: str | None) -> str:
    """Return a study in words; an imported bundle has none."""
    return "no study" if name is None else f"the study {name}"


def study_of(trial: optuna.Trial | optuna.trial.FixedTrial) -> optuna.Study | None:
    """Return the study of a trial; a `FixedTrial` has none."""
    return None if isinstance(trial, optuna.trial.FixedTrial) else trial.study


def report(trial: optuna.Trial, epoch: int, value: float) -> None:
    """Report a value to Optuna, and end the trial if its pruner says so. Raises TrialPruned if the trial is pruned."""
    trial.report(value, epoch)
    if trial.should_prune():
        raise optuna.TrialPruned(f"after epoch {epoch}")


def direction_of(study: optuna.Study) -> Direction:
    """Return the direction of a study with one objective."""
    return "maximize" if study.direction == optuna.study.StudyDirection.MAXIMIZE else "minimize"


def describe_trial(study: optuna.Study, trial: optuna.trial.FrozenTrial, outcome: TrainingOutcome) -> TrialInfo:
    """Return what a bundle records of a trial."""
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
        num_trials=count_complete(study),
        retry_of=trial.system_attrs.get(RETRY_ATTRIBUTE),
        details={
            "distributions": spell_distributions(trial.distributions),
            "sampler": type(study.sampler).__name__,
            "pruner": type(study.pruner).__name__,
            "optuna": optuna.__version__,
        },
    )


def describe_fixed(
    trial: optuna.Trial | optuna.trial.FixedTrial, outcome: TrainingOutcome, direction: Direction
) -> TrialInfo:
    """Return what a bundle records of a `FixedTrial`: it is of no study, and 0 is the number of all that have none."""
    return TrialInfo(
        study=None,
        number=trial.number or None,
        direction=direction,
        value=outcome.value,
        params=plain_config(trial.params),
        metrics=outcome.metrics,
        best_epoch=outcome.best_epoch,
        num_epochs=outcome.num_epochs,
        num_trials=None,
        details={"distributions": spell_distributions(trial.distributions), "optuna": optuna.__version__},
    )


def spell_distributions(distributions: Mapping[str, Any]) -> dict[str, str]:
    """Return what each parameter was chosen from, as text."""
    return {name: optuna.distributions.distribution_to_json(item) for name, item in distributions.items()}


def count_complete(study: optuna.Study) -> int:
    """Return how many trials of a study have a value."""
    return len(study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,)))


def note_num_trials(folder: Path, study: optuna.Study) -> None:
    """Note in the bundle of a study of how many trials it is the best, when the search has ended.

    Effects: replaces the bundle, if there were more trials than it tells.
    """
    try:
        update_num_trials(folder, study.study_name, count_complete(study))
    except (ReproofError, OSError) as error:
        warnings.warn(f"the number of trials in {folder} stays as it was ({error})", UserWarning, stacklevel=2)


def name_entry(train: Train, project: Path) -> str:
    """Return the name by which a fresh process finds a training function: ``path/to/file.py:function``.

    Raises UsageError if it is no function at the top of a file of the project.
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

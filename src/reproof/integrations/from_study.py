"""A bundle of a trial that was found before there were bundles: `reproof bundle from-study`.

The parameters come from a study of Optuna, or from a file as MLflow and Weights & Biases write them. The training runs
with them once more, in a fresh process, and what it reaches is compared with what was stored (`reproof.reproducing.
stored`). The bundle is kept whatever that shows: it holds what was trained now.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reproof.bundle.config import DEFAULT_SEED_KEY, plain_config, read_seed, with_seed
from reproof.bundle.manifest import dump_json, parse_json
from reproof.bundle.numbers import read_metrics, spell_hex
from reproof.bundle.parameters import flatten, nest, put_into, read_parameters
from reproof.bundle.reader import open_bundle
from reproof.bundle.records import TRACE, Bundle, TrialInfo
from reproof.bundle.replacing import discard_staging, locked, make_staging, replace_folder
from reproof.bundle.training import TrainingRequest, run_training
from reproof.bundle.yaml_format import MAX_YAML_BYTES, parse_yaml
from reproof.errors import DependencyError, LaunchError, ReproofError, UsageError
from reproof.integrations.keeping import BundleOptions, refuse_credentials, write_trial
from reproof.integrations.stored_trials import StudyRequest, find_stored
from reproof.launch.parent import die_with_parent
from reproof.launch.processes import signals_as_exit
from reproof.launch.start import start_command
from reproof.recorder.surroundings import require_device
from reproof.reproducing.entry import find_entry, load_entry
from reproof.reproducing.job import ReproduceRequest, open_job
from reproof.reproducing.stored import VALUE, Retrained, StoredTrial, judge_stored, settle_stored
from reproof.reproducing.worker import last_line, name_exit

try:
    import optuna
except ModuleNotFoundError:
    raise DependencyError("Optuna is not installed", "pip install 'reproof[search]'") from None

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import ModuleType

    from reproof.reproducing.evidence import Judgement

SUGGEST = "suggest"
"""The function that a script is asked for, to make a configuration of a trial."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FromStudyRequest:
    """Which trial becomes a bundle, and how it is trained.

    Attributes:
        entry: The training, as ``path/to/script.py:function`` relative to the project.
        folder: Where the bundle goes; it must not exist.
        study: Where the trial is stored, or None for a file of parameters.
        params: File of parameters, or None.
        value: What the trial of the file had reached: a number, or the name of one of its metrics; None if unknown.
        objectives: What the stored numbers are of, in the order of the study: ``value`` (the best reported), ``last``,
            or ``target.metric``.
        config: File with every value of the configuration, into which parameters are put; or None.
        suggest: Function of the script that makes a configuration of a trial, or None for ``suggest`` if it is there.
        seed: Seed to put into the configuration, or None if it has its own.
        seed_key: Key of the seed in the configuration.
        device: What is trained on.
        threads: Threads of one CPU operation, or None to leave their number alone.
        diagnoses: Whether to look for the reason by experiment if numbers differ.
        keep_code: Whether the bundle holds the text of the project's imported modules.
    """

    entry: str
    folder: Path
    study: StudyRequest | None = None
    params: Path | None = None
    value: str | None = None
    objectives: tuple[str, ...] = ()
    config: Path | None = None
    suggest: str | None = None
    seed: int | None = None
    seed_key: str = DEFAULT_SEED_KEY
    device: str = "cpu"
    threads: int | None = None
    project: Path = Path()
    diagnoses: bool = True
    keep_code: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FromStudy:
    """The bundle that was made, and how it compares with what was stored."""

    bundle: Bundle
    stored: StoredTrial
    judgement: Judgement

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "schema": 1,
            **self.judgement.to_json(),
            "bundle": self.bundle.folder.name,
            "trial": {"study": self.stored.study, "number": self.stored.number},
            "num_trials": self.stored.num_trials,
            "stored": self.stored.spell(),
        }


def make_from_study(request: FromStudyRequest, tell: Callable[[str], None] = lambda _: None) -> FromStudy:
    """Train a stored trial again, keep it as a bundle, and compare it with what was stored.

    Raises LaunchError if the training cannot be found, or fails; UsageError if the trial cannot be found, or the folder
    exists. Effects: runs the user's training; creates the bundle, and beside it a folder of what experiments have left.
    """
    if request.folder.exists():
        raise UsageError(f"{request.folder} exists", "name a new folder for the bundle with -o")
    find_entry(request.project, request.entry)
    stored = find_trial(request)
    named = "the parameters" if stored.number is None else f"trial {stored.number} of study {stored.study}"
    tell(f"training {named} again with {request.entry}")
    folder = request.folder.absolute()
    with locked(folder):
        staging = make_staging(folder, "from-study")
        try:
            here = _train(request, stored, staging)
            replace_folder(staging, folder)
        finally:
            discard_staging(staging)
    judgement = judge_stored(stored, here)
    if judgement.verdict == "inconclusive" and judgement.per_target and request.diagnoses:
        job_request = ReproduceRequest(bundle=folder, project=request.project, threads=request.threads)
        with open_job(job_request, tell) as job:
            judgement = settle_stored(job, stored, here, judgement)
    return FromStudy(bundle=open_bundle(folder), stored=stored, judgement=judgement)


def find_trial(request: FromStudyRequest) -> StoredTrial:
    """Return the trial that was asked for. Raises UsageError if it cannot be found."""
    if (request.study is None) == (request.params is None):
        raise UsageError("one place of the parameters is needed", "give --storage and --study, or --params")
    if request.study is not None:
        return find_stored(request.study, request.objectives)
    found = read_parameters(request.params or Path())
    objective = request.objectives[0] if request.objectives else VALUE
    numbers = {} if request.value is None else {objective: read_value(request.value, found.metrics)}
    return StoredTrial(params=found.values, numbers=numbers, details={"source": (request.params or Path()).name})


def read_value(text: str, metrics: Mapping[str, float]) -> float:
    """Return a number, or the metric of that name. Raises UsageError if it is neither."""
    if text in metrics:
        return metrics[text]
    try:
        return float(text)
    except ValueError:
        known = f"one of its metrics: {', '.join(sorted(metrics))}" if metrics else "the file has no metrics"
        raise UsageError(f"--value {text} is no number", f"give a number, or {known}") from None


def _train(request: FromStudyRequest, stored: StoredTrial, staging: Path) -> Retrained:
    """Train in a fresh process, which leaves the bundle in a folder."""
    config = None if request.config is None else parse_yaml(_read_config(request.config), str(request.config))
    project = request.project.absolute()
    task = {
        **{
            name: getattr(request, name)
            for name in ("entry", "suggest", "seed", "seed_key", "device", "threads", "keep_code")
        },
        "config": config,
        "project": str(project),
        "staging": str(staging),
        "stored": {**asdict(stored), "numbers": {}, "curve": [], "spelled": stored.spell()},
    }
    with tempfile.TemporaryDirectory(prefix="reproof-from-study-") as place:
        paths = Path(place, "task.json"), Path(place, "result.json"), Path(place, "output.txt")
        paths[0].write_text(json.dumps(task), encoding="utf-8")
        command = [*start_command("reproof.integrations.from_study"), str(paths[0]), str(paths[1])]
        with signals_as_exit(), paths[2].open("wb") as output:
            code = subprocess.run(  # noqa: S603  # our own worker, in the user's project
                command, cwd=project, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, check=False
            ).returncode
        if code or not paths[1].is_file():
            problem = f"the training ended with {name_exit(code)}: {last_line(paths[2])}"
            raise LaunchError(problem, "see that the script has what the stored parameters need")
        values = parse_json(paths[1].read_bytes(), paths[1].name)
    return Retrained(
        value=float.fromhex(values["value"]),
        metrics=read_metrics(values["metrics"]),
        reports=tuple(map(float.fromhex, values["reports"])),
    )


def _read_config(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_YAML_BYTES + 1)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", "name a file with --config") from None


def make_config(
    module: ModuleType, train: Any, params: Mapping[str, Any], base: Mapping[str, Any] | None, suggest: str | None
) -> Any:
    """Return the configuration that parameters stand for.

    They are put into a configuration, if there is one; else the script's own function makes it of a `FixedTrial`; else
    they are the configuration. Raises UsageError if the script has no such function, or asks for other parameters.
    """
    if base is not None:
        return put_into(base, params)
    function = _find_suggest(module, train, suggest)
    if function is None:
        return nest(params)
    try:
        return function(optuna.trial.FixedTrial(flatten(params)))
    except ValueError as error:
        raise UsageError(f"{function.__name__} does not take the stored parameters: {error}", "see --config") from None


def _find_suggest(module: ModuleType, train: Any, name: str | None) -> Callable[[Any], Any] | None:
    from reproof.integrations.search import Search

    found = getattr(module, name or SUGGEST, None)
    if callable(found):
        return found  # type: ignore[no-any-return]
    if name is not None:
        raise UsageError(f"{module.__name__} has no function {name}", "name one that returns a configuration")
    searches = [item for item in vars(module).values() if isinstance(item, Search) and item.train is train]
    return searches[0].suggest if searches else None


def main(arguments: Sequence[str] | None = None) -> None:
    """Train in a fresh process, and leave the bundle in its folder; on an error, print one line and exit with 2."""
    task_path, result_path = map(Path, sys.argv[1:] if arguments is None else arguments)
    if arguments is None:
        die_with_parent()
    task = json.loads(task_path.read_text(encoding="utf-8"))
    try:
        values = _carry_out(task)
    except ReproofError as error:
        sys.stderr.write(f"reproof: error: {error}\n")
        sys.exit(2)
    result_path.write_bytes(dump_json(values))


def _carry_out(task: Mapping[str, Any]) -> dict[str, Any]:
    require_device(task["device"])
    project, staging, stored = Path(task["project"]).resolve(), Path(task["staging"]), task["stored"]
    train = load_entry(project, task["entry"])
    config = make_config(sys.modules[train.__module__], train, stored["params"], task["config"], task["suggest"])
    if task["keep_code"]:
        refuse_credentials(project, task["entry"])
    plain = plain_config(config)
    if task["seed"] is not None:
        head, _, rest = str(task["seed_key"]).partition(".")
        plain = {head: {} if rest else 0, **plain}
        plain = with_seed(plain, task["seed_key"], task["seed"])
    request = TrainingRequest(
        seed=read_seed(plain, task["seed_key"]),
        project=project,
        entry=task["entry"],
        trace=staging / TRACE,
        direction=stored["direction"],
        device=task["device"],
        num_threads=task["threads"],
        is_reproduction=True,
        keeps_code=task["keep_code"],
    )
    outcome = run_training(train, plain, request)
    info = TrialInfo(
        study=stored["study"],
        number=stored["number"],
        direction=stored["direction"],
        value=outcome.value,
        params=plain_config(stored["params"]),
        metrics=outcome.metrics,
        best_epoch=outcome.best_epoch,
        num_epochs=outcome.num_epochs,
        num_trials=stored["num_trials"],
        details={**stored["details"], "stored": stored["spelled"], "optuna": optuna.__version__},
    )
    options = replace(BundleOptions(), seed_key=task["seed_key"])
    write_trial(staging, task["entry"], plain, info, outcome, options=options)
    return {
        "value": outcome.value.hex(),
        "metrics": spell_hex(outcome.metrics),
        "reports": [value.hex() for value in outcome.reports],
    }


if __name__ == "__main__":
    main()

"""One run of a user's training function: what it is given, and what is kept of it.

The function is ``train(config, run) -> {target: {metric: number}}``. It runs here in the same way within a search and
when a bundle is reproduced: seeded from its configuration, with deterministic algorithms, under a recording. The
generators of a process are shared by its threads, so only one training runs in a process at a time.
"""

from __future__ import annotations

import math
import random
import threading
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from reproof.bundle.code import describe_code
from reproof.bundle.data import describe_array, describe_data_file, name_data_file
from reproof.bundle.numbers import check_metrics
from reproof.bundle.scalers import describe_scaler
from reproof.bundle.surroundings import describe_surroundings
from reproof.bundle.weights import WeightTensor, collect_weights
from reproof.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from reproof.bundle.records import Direction, Metrics

_UNDER_WAY: Final = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRequest:
    """How a training is run.

    Attributes:
        seed: Seed of every generator.
        project: Folder that names of files and modules are relative to.
        entry: The training's name, or None.
        trace: Folder for the recording, or None for none.
        direction: Whether a smaller or a larger reported value is better.
        device: What the function is told to train on.
        num_threads: Threads of one CPU operation, or None to leave their number alone.
        is_deterministic: Whether operations without a deterministic implementation raise; else they only warn.
        perturb: Number of a one-ulp change of an initial weight, or None.
        is_reproduction: Whether this is a re-run, so that nothing is pruned.
        data_files: Where data files are, by the names that the bundle has for them; others are where the training says.
        keeps_code: Whether the text of the project's modules is kept.
    """

    seed: int
    project: Path
    entry: str | None = None
    trace: Path | None = None
    direction: Direction = "minimize"
    device: str = "cpu"
    num_threads: int | None = None
    is_deterministic: bool = True
    perturb: int | None = None
    is_reproduction: bool = False
    data_files: Mapping[str, Path] = field(default_factory=dict)
    keeps_code: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOutcome:
    """The result of a training.

    Attributes:
        metrics: What the function returned.
        value: The best value that it reported.
        best_epoch: Epoch of that value.
        best: Weights of that epoch, by name.
        scaler: State of the target scaler, or None.
        scaler_object: The scaler itself, or None.
        data: Fingerprints of files and arrays.
        code: The project's modules.
        perturbed: Which initial weight was changed, as ``name[index]``; empty for none.
    """

    metrics: Metrics
    value: float
    best_epoch: int
    num_epochs: int
    best: tuple[WeightTensor, ...]
    last: tuple[WeightTensor, ...]
    scaler: dict[str, Any] | None
    scaler_object: Any
    data: dict[str, Any]
    code: dict[str, Any]
    environment: dict[str, Any]
    perturbed: str = ""
    reports: tuple[float, ...] = ()


@dataclass(slots=True, kw_only=True)
class _Progress:
    """What a training has reported so far."""

    model: Any = None
    best_value: float | None = None
    best_epoch: int = -1
    num_epochs: int = 0
    best: dict[str, Any] = field(default_factory=dict)
    last: dict[str, Any] = field(default_factory=dict)
    scaler: Any = None
    files: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, Any] = field(default_factory=dict)
    perturbed: str = ""
    reports: list[float] = field(default_factory=list)


class TrainingRun:
    """Handed to a training function, which reports to it.

    Attributes:
        device: What to train on.
        is_reproduction: Whether this is a re-run of a bundle: nothing is pruned.
    """

    def __init__(self, request: TrainingRequest, on_report: Callable[[int, float], None] | None = None) -> None:
        """Start without a report. `on_report` is called with each epoch and value; it may raise to end the training."""
        self.device = request.device
        self.is_reproduction = request.is_reproduction
        self._request = request
        self._on_report = on_report
        self._progress = _Progress()

    def start(self, model: Any) -> Any:
        """Register the model whose weights are kept; call it before the first step. Returns the model."""
        self._progress.model = model
        if self._request.perturb is not None:
            self._progress.perturbed = move_one_weight(model, self._request.perturb)
        return model

    def use_file(self, path: str | Path) -> Path:
        """Record the digest of a file that the training reads; returns its path, which is the one to read.

        A path that is not absolute is relative to the project. In a re-run the data may lie elsewhere.
        """
        asked = self._request.project / path
        name, is_inside = name_data_file(asked, self._request.project)
        found = self._request.data_files.get(name, asked)
        self._progress.files[name] = {**describe_data_file(found), "in_project": is_inside}
        return found

    def use_data(self, **arrays: Any) -> None:
        """Record fingerprints of arrays that the training computes with, such as features, targets and a split.

        Args:
            **arrays: Arrays of numpy, tensors or lists of numbers, by name.
        """
        for name, array in arrays.items():
            self._progress.arrays[name] = describe_array(array)

    def keep_scaler(self, scaler: Any) -> Any:
        """Keep the state of a fitted target scaler of scikit-learn; returns it."""
        describe_scaler(scaler)
        self._progress.scaler = scaler
        return scaler

    def report(self, epoch: int, value: float) -> bool:
        """Report the value that the search optimises, after an epoch; keeps the weights, and prunes within a search.

        Args:
            epoch: 0-based number of the epoch.
            value: Such as the validation loss.

        Returns:
            Whether it is the best so far.
        """
        progress, number = self._progress, float(value)
        if progress.model is None:
            raise UsageError("the training reported a value before run.start(model)", "call run.start(model) first")
        progress.num_epochs += 1
        progress.reports.append(number)
        progress.last = copy_state(progress.model)
        best = progress.best_value
        is_smaller = self._request.direction == "minimize"
        is_best = not math.isnan(number) and (best is None or (number < best if is_smaller else number > best))
        if is_best:
            progress.best_value, progress.best_epoch, progress.best = number, epoch, progress.last
        if self._on_report is not None:
            self._on_report(epoch, number)
        return is_best

    def best_weights(self) -> dict[str, Any]:
        """Return a copy of the weights of the best epoch so far, for `load_state_dict`."""
        return {name: clone(value) for name, value in self._progress.best.items()}

    def finish(self, metrics: Mapping[str, Mapping[str, Any]]) -> TrainingOutcome:
        """Return the result of the training. Raises UsageError if it reported nothing, or did not return metrics."""
        progress, request = self._progress, self._request
        if progress.best_value is None:
            raise UsageError("the training reported no value", "call run.report(epoch, value) after each epoch")
        if request.perturb is not None and not progress.perturbed:
            raise UsageError("the training did not call run.start(model)", "call it before the first step")
        try:
            found = check_metrics(metrics)
        except ValueError as error:
            problem = f"the training returned no metrics: {error}"
            raise UsageError(problem, "return {target: {metric: number}}") from None
        scaler = None if progress.scaler is None else describe_scaler(progress.scaler)
        return TrainingOutcome(
            metrics=found,
            value=progress.best_value,
            best_epoch=progress.best_epoch,
            num_epochs=progress.num_epochs,
            best=collect_weights(progress.best),
            last=collect_weights(progress.last),
            scaler=scaler,
            scaler_object=progress.scaler,
            data={"files": progress.files, "arrays": progress.arrays},
            code=describe_code(request.project, request.entry, keeps_text=request.keeps_code),
            environment={**describe_surroundings(), "device": request.device},
            perturbed=progress.perturbed,
            reports=tuple(progress.reports),
        )


def run_training(
    train: Callable[[dict[str, Any], TrainingRun], Mapping[str, Mapping[str, Any]]],
    config: dict[str, Any],
    request: TrainingRequest,
    on_report: Callable[[int, float], None] | None = None,
) -> TrainingOutcome:
    """Run a training function, seeded and recorded, and return its result.

    Raises UsageError if another training is under way in this process and whatever the function raises. Effects: as
    `reproof.determinism.deterministic` and `reproof.recorder.record`, undone at the end.
    """
    from reproof.determinism import deterministic
    from reproof.recorder import log, record

    if not _UNDER_WAY.acquire(blocking=False):
        raise UsageError(
            "two trainings at once in one process share their random generators",
            "search with n_jobs=1, and start the same search in several processes",
        )
    with ExitStack() as stack:
        stack.callback(_UNDER_WAY.release)
        stack.enter_context(
            deterministic(request.seed, warn_only=not request.is_deterministic, num_threads=request.num_threads)
        )
        run = TrainingRun(request, on_report)
        if request.trace is None:
            return run.finish(train(config, run))
        with record(request.trace):
            log(config=config)  # so that a changed value shows as the first divergence
            metrics = train(config, run)
        return run.finish(metrics)


def copy_state(model: Any) -> dict[str, Any]:
    """Return the tensors of a model's state, copied."""
    return {name: clone(value) for name, value in model.state_dict().items()}


def clone(value: Any) -> Any:
    """Return a detached copy of a tensor, and any other value unchanged."""
    return value.detach().clone() if hasattr(value, "detach") else value


def move_one_weight(model: Any, number: int) -> str:
    """Move one initial weight to the next larger number of its type; return which, as ``name[index]``.

    `number` chooses the weight; the same number is the same weight. Raises UsageError if no weight is a float other
    than zero. Effects: changes that weight.
    """
    chooser = random.Random(number)  # noqa: S311  # no secret: a choice that can be repeated
    parameters = [(name, p.detach()) for name, p in model.named_parameters() if p.is_floating_point() and p.numel()]
    for _ in range(1000 if parameters else 0):
        name, tensor = chooser.choice(parameters)
        place = tuple(chooser.randrange(size) for size in tensor.shape)
        if float(tensor[place]) != 0.0:
            tensor[place] = tensor[place].nextafter(tensor.new_tensor(math.inf))
            return f"{name}{list(place)}"
    raise UsageError("the model has no weight to move", "call run.start(model) when it has its initial weights")

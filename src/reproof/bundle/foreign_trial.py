"""Read the `trial_info.yaml` of a hand-made search: the same facts under the names that people give them.

What is not there stays unknown: no number, study or count of trials is invented. Each key is told with what it was
taken as, so that a wrong guess is seen before a bundle is made of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from reproof.bundle.numbers import read_float
from reproof.bundle.records import Metrics, TrialInfo
from reproof.errors import BundleError

if TYPE_CHECKING:
    from reproof.bundle.records import Direction

UNKNOWN: Final = "not understood"

_LOSS_KEYS: Final = ("validation_loss", "val_loss", "best_val_loss", "best_validation_loss", "best_loss", "loss")
_VALUE_KEYS: Final = ("value", "best_value", "objective", "objective_value", "score", "best_score")
_NUMBER_KEYS: Final = ("number", "trial_number", "trial", "trial_id", "best_trial")
_STUDY_KEYS: Final = ("study", "study_name")
_PARAMS_KEYS: Final = ("params", "parameters", "best_params", "hyperparameters", "hparams")
_COUNT_KEYS: Final = ("n_trials", "num_trials")
_EPOCH_KEYS: Final = ("best_epoch",)
_GROUPS: Final = ("metrics", "test_metrics", "scores", "results")
_METRICS: Final = ("r2", "mse", "mae", "rmse")
_FILLING: Final = frozenset({"score", "scores", "per", "target", "targets"})
"""Words of a key that name neither a metric nor a target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A file or a key of a folder of others, and what it was taken as.

    Attributes:
        found: Its name, as in the folder.
        taken_as: What it became, or ``not understood``.
    """

    found: str
    taken_as: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignTrial:
    """What a `trial_info.yaml` says, and how each of its keys was read."""

    trial: TrialInfo
    findings: tuple[Finding, ...]


def read_foreign_trial(value: dict[str, Any], source: str = "trial_info.yaml") -> ForeignTrial:
    """Read the trial of another tool. Raises BundleError if it has no value, or one that is no number."""
    try:
        return _Keys(value, source).read()
    except ValueError as error:
        raise BundleError(
            f"{source} is not readable: {error}", "nothing of it was used; see docs/bundle.md for what it may hold"
        ) from None


class _Keys:
    """Takes the keys of one file, and notes what each was taken as."""

    def __init__(self, value: dict[str, Any], source: str) -> None:
        self._value = value
        self._source = source
        self._taken: dict[str, str] = {}

    def read(self) -> ForeignTrial:
        """Return the trial and the notes, in the order of the file."""
        value, direction = self._take_value()
        number, count, epoch = (
            self._take_count(keys, what)
            for keys, what in (
                (_NUMBER_KEYS, "number of the trial"),
                (_COUNT_KEYS, "number of trials"),
                (_EPOCH_KEYS, "epoch of the best weights"),
            )
        )
        study = self._take(_STUDY_KEYS, str, "name of the study")
        params = self._take(_PARAMS_KEYS, dict, "parameters")
        metrics = self._take_metrics()
        trial = TrialInfo(
            study=None if study is None else study[:200],
            number=number,
            direction=direction,
            value=value,
            params=params or {},
            metrics=metrics,
            best_epoch=epoch,
            num_trials=count or None,
        )
        findings = (
            Finding(found=f"{self._source}: {key}", taken_as=self._taken.get(key, UNKNOWN)) for key in self._value
        )
        return ForeignTrial(trial=trial, findings=tuple(findings))

    def _take(self, keys: tuple[str, ...], kind: type, what: str) -> Any:
        for key in keys:
            found = self._value.get(key)
            if type(found) is kind and key not in self._taken:
                self._taken[key] = what
                return found
        return None

    def _take_count(self, keys: tuple[str, ...], what: str) -> int | None:
        for key in keys:
            found = self._value.get(key)
            if type(found) is int and found >= 0:
                self._taken[key] = what
                return found
        return None

    def _take_value(self) -> tuple[float, Direction]:
        for key in (*_VALUE_KEYS, *_LOSS_KEYS):
            if key not in self._value:
                continue
            value = read_float(self._value[key])
            is_loss = key in _LOSS_KEYS
            direction, told = self._take_direction(is_loss=is_loss)
            self._taken[key] = f"{'validation loss' if is_loss else 'value of the trial'}, {told}"
            return value, direction
        names = ", ".join((*_LOSS_KEYS, *_VALUE_KEYS))
        raise BundleError(f"{self._source} has no value", f"name it with one of {names}")

    def _take_direction(self, *, is_loss: bool) -> tuple[Direction, str]:
        found = str(self._value.get("direction", "")).lower()
        for direction, told in (("maximize", "larger is better"), ("minimize", "smaller is better")):
            if found == direction:
                self._taken["direction"] = told
                return direction, told  # type: ignore[return-value]  # one of the two names above
        return "minimize", "smaller is better" if is_loss else "smaller is better (the folder does not tell)"

    def _take_metrics(self) -> Metrics:
        metrics: Metrics = {}
        for key, item in self._value.items():
            found = {} if key in self._taken else read_metric(str(key), item)
            if found:
                self._taken[key] = f"metrics: {_list_names(found)}"
            for target, numbers in found.items():
                metrics.setdefault(target, {}).update(numbers)
        return metrics


def _list_names(metrics: Metrics) -> str:
    return ", ".join(f"{name} of {target}" for target, numbers in metrics.items() for name in numbers)


def read_metric(key: str, item: Any) -> Metrics:
    """Return the metrics that one key holds, in any of the forms in use; none if it holds none.

    The forms are one key for each (``r2_temp``, ``temp_r2``), per metric (``r2: {temp: 0.9}``), and a group of either
    or per target (``metrics: {temp: {r2: 0.9}}``). Raises ValueError if the key names a metric, and its value is no
    number.
    """
    if key.lower() in _GROUPS and isinstance(item, dict):
        return _read_group(item)
    name, rest = _split_key(key)
    if name is None:
        return {}
    if isinstance(item, dict):
        return {str(target): {name: read_float(number)} for target, number in item.items()}
    if item is None or isinstance(item, (list, str, bool)):
        return {}
    return {rest or "target": {name: read_float(item)}}


def read_foreign_metrics(value: dict[str, Any]) -> Metrics:
    """Return the metrics of all keys, per target."""
    metrics: Metrics = {}
    for key, item in value.items():
        for target, numbers in read_metric(str(key), item).items():
            metrics.setdefault(target, {}).update(numbers)
    return metrics


def _read_group(item: dict[str, Any]) -> Metrics:
    if known := read_foreign_metrics(item):
        return known
    return {
        str(target): {str(name): read_float(number) for name, number in numbers.items()}
        for target, numbers in item.items()
        if isinstance(numbers, dict)
    }


def _split_key(key: str) -> tuple[str | None, str]:
    """Return the metric that a key names, if any, and the rest of it, which names the target."""
    parts = key.replace("²", "2").split("_")
    name = next((name for name in _METRICS if name in (part.lower() for part in parts)), None)
    return name, "_".join(part for part in parts if part.lower() != name and part.lower() not in _FILLING)

"""Record what a script gives to its tracker of experiments, as events of stage ``metric``.

People look at the numbers that they log. A tap waits for the tracker's module and wraps one method of a class in it;
nothing is imported by us, and a script without a tracker pays nothing.

Left out: images, texts and histograms; the trackers' own files; names that tell times and speeds (`is_about_time`).
"""

from __future__ import annotations

import functools
import inspect
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import wrapt

from reproof.outputs.vocabulary import MEASURES, PHASES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from types import ModuleType

    Logged = Iterable[tuple[str, Any]]
    RecordValue = Callable[[str, Any], None]

ABOUT_TIME: Final = re.compile(
    r"(?:^|[/_.])(?:(?:train_|eval_|test_)?runtime|_?timestamp|elapsed|sps|fps|mfu|throughput|\w*per_sec(?:ond)?"
    rf"|(?:time|(?:{PHASES})[_/.-](?:{MEASURES})|time[_/.-](?:per_)?(?:{PHASES}))(?:_(?:ms|s|secs?|seconds))?)$",
    re.IGNORECASE,
)
"""Names, as a whole or after a separator, of values that tell how fast a run was and not what it computed."""

MAX_DEPTH: Final = 4


class Tap(NamedTuple):
    """A method by which values reach a tracker.

    Attributes:
        module: The module that holds the class.
        read: Yields names and values from the arguments of a call, by their names in the signature.
    """

    module: str
    owner: str
    method: str
    read: Callable[[Mapping[str, Any]], Logged]


def is_about_time(name: str) -> bool:
    """Whether the name of a value says that it is a time or a speed: those differ between any two runs."""
    return ABOUT_TIME.search(name) is not None


def _read_scalar(given: Mapping[str, Any]) -> Logged:
    yield str(given["tag"]), given["scalar_value"]


def _read_scalars(given: Mapping[str, Any]) -> Logged:
    for tag, value in given["tag_scalar_dict"].items():
        yield f"{given['main_tag']}/{tag}", value


def _read_named(given: Mapping[str, Any]) -> Logged:
    yield str(given["name"]), given["value"]


def _read_key(given: Mapping[str, Any]) -> Logged:
    yield str(given["key"]), given["value"]


def _read_batch(given: Mapping[str, Any]) -> Logged:
    for metric in given.get("metrics") or ():
        yield str(metric.key), metric.value


def _read_logs(given: Mapping[str, Any]) -> Logged:
    yield from _flatten(given["logs"], "", MAX_DEPTH)


def _read_data(given: Mapping[str, Any]) -> Logged:
    yield from _flatten(given["data"], "", MAX_DEPTH)


def _flatten(values: Any, prefix: str, depth: int) -> Iterator[tuple[str, Any]]:
    """Yield the numbers and tensors of a nested mapping, with the names that trackers show: ``val/loss``."""
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and depth:
            yield from _flatten(value, f"{name}/", depth - 1)
        else:
            yield name, value


_WRITERS: Final = ("torch.utils.tensorboard.writer", "tensorboardX.writer")
_LIGHTNING: Final = ("lightning.pytorch.core.module", "pytorch_lightning.core.module")

TAPS: Final = (
    *(Tap(module, "SummaryWriter", "add_scalar", _read_scalar) for module in _WRITERS),
    *(Tap(module, "SummaryWriter", "add_scalars", _read_scalars) for module in _WRITERS),
    *(Tap(module, "LightningModule", "log", _read_named) for module in _LIGHTNING),
    Tap("transformers.trainer", "Trainer", "log", _read_logs),
    # `mlflow.log_metric` ends in the first, `mlflow.log_metrics` and autologging in the second.
    Tap("mlflow.tracking.client", "MlflowClient", "log_metric", _read_key),
    Tap("mlflow.tracking.client", "MlflowClient", "log_batch", _read_batch),
    # `wandb.init` binds `wandb.log` to the method of the run that it returns.
    Tap("wandb.sdk.wandb_run", "Run", "log", _read_data),
)


def tap_trackers(record_value: RecordValue) -> Callable[[], None]:
    """Have every number and tensor that is logged from now on recorded.

    What `record_value` raises reaches the script. The result ends it: the methods stay wrapped, and pass all through.
    Effects: the methods of trackers that are imported, or will be, are wrapped for the life of the process.
    """
    active = [record_value]
    for tap in TAPS:
        wrapt.when_imported(tap.module)(functools.partial(_wrap, tap, active))
    return active.clear


def _wrap(tap: Tap, active: list[RecordValue], module: ModuleType) -> None:
    owner = getattr(module, tap.owner, None)
    original = getattr(owner, tap.method, None)
    if owner is None or original is None:  # an unknown version of the tracker
        return
    signature = inspect.signature(original)

    @functools.wraps(original)
    def tapped(*args: Any, **kwargs: Any) -> Any:
        for record_value in active:
            _record(tap, signature, args, kwargs, record_value)
        return original(*args, **kwargs)

    setattr(owner, tap.method, tapped)


def _record(
    tap: Tap, signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any], record_value: RecordValue
) -> None:
    try:
        given = signature.bind(*args, **kwargs).arguments
        logged = list(tap.read(given))
    except (TypeError, KeyError, AttributeError):  # a wrong call: the tracker says so itself
        return
    for name, value in logged:
        if is_number(value) and not is_about_time(name):
            record_value(name, value)


def is_number(value: Any) -> bool:
    """Whether a value is a number, a tensor or an array: what is drawn as a curve."""
    return isinstance(value, (bool, int, float)) or hasattr(type(value), "__array__")

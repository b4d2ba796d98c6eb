"""Make a bundle of a folder as a hand-made search leaves it: `config.yaml`, `trial_info.yaml`, a scaler, weights.

Such a folder has no manifest, so it is read as untrusted data. Weights go through
PyTorch's `weights_only` loader, the scaler through a reader that unpickles nothing. The bundle lacks what the folder
lacks (data, code, surroundings, trace), and a re-run is judged accordingly.
"""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, Any, Final

from reproof.bundle.config import read_seed, refuse_code
from reproof.bundle.joblib_format import MAX_FILE_BYTES, read_joblib_scaler
from reproof.bundle.manifest import check_entry, quote
from reproof.bundle.numbers import read_float
from reproof.bundle.reader import open_bundle
from reproof.bundle.records import CONFIG, JOBLIB_SCALER, Bundle, Metrics, TrialInfo
from reproof.bundle.replacing import discard_staging, locked, make_staging, replace_folder
from reproof.bundle.weights import WeightTensor, collect_weights, read_weights
from reproof.bundle.writer import BundleContents, write_bundle
from reproof.bundle.yaml_format import MAX_YAML_BYTES, parse_yaml
from reproof.errors import BundleError, ReproofError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

MAX_WEIGHTS_BYTES: Final = 64 << 30
_REMEDY: Final = "nothing of it was used; see docs/bundle.md for what a folder of others may hold"

_VALUE_KEYS: Final = ("value", "best_value", "validation_loss", "val_loss", "best_val_loss", "loss")
_STATE_KEYS: Final = ("model_state_dict", "state_dict", "model", "weights")
_METRICS: Final = ("r2", "mse", "mae")


def import_foreign(source: Path, folder: Path, *, entry: str | None = None, seed_key: str = "training.seed") -> Bundle:
    """Make a bundle from a folder that another tool has written.

    Args:
        source: The folder.
        folder: Where the bundle goes; it must not exist.
        entry: The training, as ``path/to/file.py:function`` relative to the project.
        seed_key: Key of the seed in `config.yaml`, with dots.

    Raises:
        BundleError: If a file is missing, damaged or refused; nothing of it was executed.
        UsageError: If the bundle exists.

    Effects: creates the bundle.
    """
    if folder.exists():
        raise UsageError(f"{folder} exists", "name a new folder for the bundle")
    if entry is not None:
        try:
            check_entry(entry)
        except ValueError as error:
            raise UsageError(str(error), "name it as scripts/train.py:train") from None
    contents = _read_contents(source, entry, seed_key)
    with locked(folder):
        staging = make_staging(folder, "import")
        try:
            write_bundle(staging, contents)
            replace_folder(staging, folder)
        finally:
            discard_staging(staging)
    return open_bundle(folder)


def _read_contents(source: Path, entry: str | None, seed_key: str) -> BundleContents:
    config = parse_yaml(_read(source, CONFIG, MAX_YAML_BYTES), CONFIG)
    refuse_code(config, CONFIG)
    read_seed(config, seed_key)
    name = next((name for name in ("trial_info.yaml", "trial_info.yml") if _is_there(source / name)), "trial_info.yaml")
    trial = read_foreign_trial(parse_yaml(_read(source, name, MAX_YAML_BYTES), name), source.name)
    scaler = None
    if _is_there(source / JOBLIB_SCALER):
        scaler = read_joblib_scaler(_read(source, JOBLIB_SCALER, MAX_FILE_BYTES), JOBLIB_SCALER)
    return BundleContents(
        entry=entry,
        seed_key=seed_key,
        config=config,
        trial=trial,
        weights=_read_weights(source),
        scaler=scaler,
        imported=True,
    )


def _is_there(path: Path) -> bool:
    return path.is_symlink() or path.exists()


def _check_file(source: Path, path: Path, limit: int) -> None:
    name = path.relative_to(source).as_posix()
    try:
        status = path.lstat()
    except OSError:
        raise BundleError(f"{source} has no {name}", _REMEDY) from None
    if not stat.S_ISREG(status.st_mode):
        raise BundleError(f"{quote(name)} is a link or no regular file", _REMEDY, slug="bundle-refused")
    if status.st_size > limit:
        problem = f"{quote(name)} has {status.st_size} bytes, more than {limit}"
        raise BundleError(problem, _REMEDY, slug="bundle-refused")


def _read(source: Path, name: str, limit: int) -> bytes:
    _check_file(source, source / name, limit)
    return (source / name).read_bytes()


def _read_weights(source: Path) -> dict[str, tuple[WeightTensor, ...]]:
    folder = source / "weights"
    if folder.is_symlink():
        raise BundleError("'weights' is a symbolic link", _REMEDY, slug="bundle-refused")
    found: dict[str, tuple[WeightTensor, ...]] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        which = next((which for which in ("best", "last") if which in path.stem.lower()), None)
        if which is None or which in found:
            continue
        _check_file(source, path, MAX_WEIGHTS_BYTES)
        found[which] = _read_weights_file(path)
    return found


def _read_weights_file(path: Path) -> tuple[WeightTensor, ...]:
    if path.suffix == ".safetensors":
        return tuple(read_weights(path))
    if path.suffix not in {".pt", ".pth"}:
        raise BundleError(f"{quote(path.name)} is no file of weights", "use .pt, .pth or .safetensors")
    from reproof.recorder.artifacts.formats import explain, read_pytorch, undisturbed

    try:
        with undisturbed():
            _, value = next(iter(read_pytorch(path)))
    except ReproofError as error:
        raise BundleError(f"{path.name} is refused: {error.problem}", _REMEDY, slug="pickle-refused") from None
    except Exception as error:  # noqa: BLE001  # whatever a damaged or hostile file makes PyTorch raise
        raise BundleError(f"{path.name} is refused: {explain(error)}", _REMEDY, slug="pickle-refused") from None
    state = find_state(value)
    if state is None:
        raise BundleError(f"{path.name} holds no tensors by name", "save model.state_dict()")
    return collect_weights(state)


def find_state(value: Any) -> dict[str, Any] | None:
    """Return the tensors by name of what a file of weights holds: a state_dict, or a checkpoint with one in it."""
    if not isinstance(value, dict):
        return None
    for key in _STATE_KEYS:
        if isinstance(value.get(key), dict):
            return find_state(value[key])
    is_state = bool(value) and all(isinstance(name, str) for name in value)
    tensors = {name: item for name, item in value.items() if hasattr(item, "dtype") and hasattr(item, "shape")}
    return tensors if is_state and tensors else None


def read_foreign_trial(value: dict[str, Any], study: str) -> TrialInfo:
    """Read the `trial_info.yaml` of another tool, which holds the same under other names.

    Raises:
        BundleError: If it has no value.
    """
    try:
        score = next(read_float(value[key]) for key in _VALUE_KEYS if key in value)
        number = value.get("number", value.get("trial_number", value.get("trial", 0)))
        params = value.get("params", {})
        return TrialInfo(
            study=str(value.get("study", value.get("study_name", study)))[:200],
            number=number if type(number) is int and number >= 0 else 0,
            direction="maximize" if value.get("direction") == "maximize" else "minimize",
            value=score,
            params=params if isinstance(params, dict) else {},
            metrics=read_foreign_metrics(value),
            num_trials=value["n_trials"] if type(value.get("n_trials")) is int and value["n_trials"] > 0 else 1,
        )
    except StopIteration:
        raise BundleError("trial_info.yaml has no value", f"name it {', '.join(_VALUE_KEYS)}") from None
    except ValueError as error:
        raise BundleError(f"trial_info.yaml is not readable: {error}", _REMEDY) from None


def read_foreign_metrics(value: dict[str, Any]) -> Metrics:
    """Return the metrics per target in any of the forms in use: per target, per metric, or one key for each."""
    metrics: Metrics = {}
    for key, found in value.items():
        name = next((name for name in _METRICS if name in str(key).lower().replace("²", "2").split("_")), None)
        if name is not None and isinstance(found, dict):  # r2_scores: {a: 0.9}
            for target, number in found.items():
                metrics.setdefault(str(target), {})[name] = read_float(number)
        elif name is not None and not isinstance(found, (list, str)) and found is not None:  # r2_a: 0.9
            target = "_".join(part for part in str(key).split("_") if part.lower() != name) or "target"
            metrics.setdefault(target, {})[name] = read_float(found)
        elif key in {"metrics", "test_metrics"} and isinstance(found, dict):
            nested = read_foreign_metrics(found)
            metrics |= nested or {
                str(target): {str(which): read_float(number) for which, number in numbers.items()}
                for target, numbers in found.items()
                if isinstance(numbers, dict)
            }
    return metrics

"""Make a bundle of a folder as a hand-made search leaves it: `config.yaml`, `trial_info.yaml`, a scaler, weights.

Such a folder has no manifest, so it is read as untrusted data. Weights go through
PyTorch's `weights_only` loader, the scaler through a reader that unpickles nothing. The bundle lacks what the folder
lacks (data, code, surroundings, trace), and a re-run is judged accordingly.
"""

from __future__ import annotations

import itertools
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from reproof.bundle.code import describe_entry
from reproof.bundle.config import read_seed, refuse_code
from reproof.bundle.foreign_trial import UNKNOWN, Finding, ForeignTrial, read_foreign_trial
from reproof.bundle.joblib_format import MAX_FILE_BYTES, read_joblib_scaler
from reproof.bundle.manifest import MAX_FILES, check_entry, quote
from reproof.bundle.reader import open_bundle
from reproof.bundle.records import CONFIG, JOBLIB_SCALER, Bundle
from reproof.bundle.replacing import discard_staging, locked, make_staging, replace_folder
from reproof.bundle.weights import WeightTensor, collect_weights, read_weights
from reproof.bundle.writer import BundleContents, write_bundle
from reproof.bundle.yaml_format import MAX_YAML_BYTES, parse_yaml
from reproof.errors import BundleError, ReproofError, UsageError

MAX_WEIGHTS_BYTES: Final = 64 << 30
_REMEDY: Final = "nothing of it was used; see docs/bundle.md for what a folder of others may hold"

SUFFIXES: Final = frozenset({".pt", ".pth", ".ckpt", ".bin", ".safetensors"})
TRIAL_NAMES: Final = ("trial_info.yaml", "trial_info.yml")
WEIGHTS: Final = "weights"

_WEIGHT_NAMES: Final = {"best": ("best",), "last": ("last", "final", "latest")}
_STATE_KEYS: Final = ("model_state_dict", "state_dict", "model", "weights")


def import_foreign(
    source: Path,
    folder: Path,
    *,
    entry: str | None = None,
    seed_key: str = "training.seed",
    project: Path = Path(),
) -> Bundle:
    """Make a bundle from a folder that another tool has written.

    Args:
        source: The folder.
        folder: Where the bundle goes; it must not exist.
        entry: The training, as ``path/to/file.py:function`` relative to the project.
        seed_key: Key of the seed in `config.yaml`, with dots.
        project: Folder of the project. If the training is there, a reproduction need not name it again.

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
    code = None if entry is None else describe_entry(project, entry)
    contents = replace(_read_contents(source, entry, seed_key), code=code)
    with locked(folder):
        staging = make_staging(folder, "import")
        try:
            write_bundle(staging, contents)
            replace_folder(staging, folder)
        finally:
            discard_staging(staging)
    return open_bundle(folder)


def survey_foreign(source: Path) -> tuple[Finding, ...]:
    """Return what is in a folder and what each file and key is taken as; nothing is written, no weight is read.

    Raises BundleError if the folder or its `trial_info.yaml` cannot be read.
    """
    weights = {path: f"{which} weights" for which, path in find_weights(source).items()}
    taken = {source / CONFIG: "configuration", source / JOBLIB_SCALER: "target scaler", **weights}
    trial_name = _find_trial_name(source)
    files = [
        Finding(found=quote_path(path, source), taken_as=taken.get(path, UNKNOWN))
        for path in _list_files(source)
        if path != source / trial_name
    ]
    return (*files, *_read_trial(source, trial_name).findings)


def _read_contents(source: Path, entry: str | None, seed_key: str) -> BundleContents:
    config = parse_yaml(_read(source, CONFIG, MAX_YAML_BYTES), CONFIG)
    refuse_code(config, CONFIG)
    read_seed(config, seed_key)
    scaler = None
    if _is_there(source / JOBLIB_SCALER):
        scaler = read_joblib_scaler(_read(source, JOBLIB_SCALER, MAX_FILE_BYTES), JOBLIB_SCALER)
    return BundleContents(
        entry=entry,
        seed_key=seed_key,
        config=config,
        trial=_read_trial(source, _find_trial_name(source)).trial,
        weights={which: _read_weights_file(source, path) for which, path in find_weights(source).items()},
        scaler=scaler,
        imported=True,
    )


def _find_trial_name(source: Path) -> str:
    return next((name for name in TRIAL_NAMES if _is_there(source / name)), TRIAL_NAMES[0])


def _read_trial(source: Path, name: str) -> ForeignTrial:
    return read_foreign_trial(parse_yaml(_read(source, name, MAX_YAML_BYTES), name), name)


def _list_files(source: Path) -> list[Path]:
    """Return the files in a folder and in its folder of weights, sorted."""
    return sorted(
        path
        for folder in (source, source / WEIGHTS)
        if folder.is_dir() and not folder.is_symlink()
        for path in itertools.islice(folder.iterdir(), MAX_FILES)
        if path.is_symlink() or not path.is_dir()
    )


def quote_path(path: Path, source: Path) -> str:
    """Return the name of a file within a folder, printable."""
    return quote(path.relative_to(source).as_posix())[1:-1]


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


def find_weights(source: Path) -> dict[str, Path]:
    """Return the files of the best and the last weights, by what their names say.

    One file of weights that says neither holds the best.
    """
    if (source / WEIGHTS).is_symlink():
        raise BundleError(f"'{WEIGHTS}' is a symbolic link", _REMEDY, slug="bundle-refused")
    files = [path for path in _list_files(source) if path.suffix in SUFFIXES or path.parent.name == WEIGHTS]
    found: dict[str, Path] = {}
    for path in files:
        words = path.stem.lower()
        which = next((which for which, names in _WEIGHT_NAMES.items() if any(name in words for name in names)), None)
        if which is not None:
            found.setdefault(which, path)
    return found or ({"best": files[0]} if len(files) == 1 else {})


def _read_weights_file(source: Path, path: Path) -> tuple[WeightTensor, ...]:
    _check_file(source, path, MAX_WEIGHTS_BYTES)
    if path.suffix == ".safetensors":
        return tuple(read_weights(path))
    if path.suffix not in SUFFIXES:
        raise BundleError(f"{quote(path.name)} is no file of weights", f"use one of {', '.join(sorted(SUFFIXES))}")
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

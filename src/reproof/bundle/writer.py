"""Write a bundle: every file into a folder of its own first, the manifest last, then the folder in its place."""

from __future__ import annotations

import datetime
import os
import shutil
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from reproof._version import __version__
from reproof.bundle.manifest import (
    describe_file,
    dump_json,
    read_listed,
    read_manifest,
    verify_folder,
    walk_folder,
)
from reproof.bundle.numbers import spell_metrics
from reproof.bundle.records import (
    BEST_WEIGHTS,
    CODE,
    CONFIG,
    DATA,
    DEFAULT_ALPHA,
    ENVIRONMENT,
    LAST_WEIGHTS,
    MANIFEST,
    REFERENCE,
    SCALER,
    SIGNATURE,
    TRACE,
    TRIAL,
    Manifest,
    Metrics,
    Reference,
    TrialInfo,
)
from reproof.bundle.replacing import locked, make_staging, replace_folder
from reproof.bundle.surroundings import strip_trace
from reproof.bundle.weights import WeightTensor, digest_weights, write_weights
from reproof.bundle.yaml_format import MAX_YAML_BYTES, dump_yaml, parse_yaml
from reproof.errors import BundleError
from reproof.trace.format import RUN_FILE

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleContents:
    """What a bundle is made of, besides the trace and the joblib file, which are in the folder already.

    Attributes:
        entry: Name of the training, or None.
        config: Plain values.
        weights: By ``best`` and ``last``.
        environment: What surrounded the training; None leaves the file out, as for the next ones.
        scaler: State of the target scaler.
        margins: Fixed now, before anything is reproduced.
        imported: Whether it is made from a folder that another tool has written.
    """

    entry: str | None
    seed_key: str
    config: dict[str, Any]
    trial: TrialInfo
    weights: dict[str, tuple[WeightTensor, ...]]
    environment: dict[str, Any] | None = None
    code: dict[str, Any] | None = None
    data: dict[str, Any] | None = None
    scaler: dict[str, Any] | None = None
    margins: Metrics = field(default_factory=dict)
    alpha: float = DEFAULT_ALPHA
    imported: bool = False


def write_bundle(staging: Path, contents: BundleContents) -> Manifest:
    """Write the files of a bundle into a folder that may hold its trace already; the manifest comes last.

    Effects: creates files.
    """
    if (staging / TRACE / RUN_FILE).is_file():
        strip_trace(staging / TRACE)
    (staging / CONFIG).write_text(dump_yaml(contents.config), encoding="utf-8")
    (staging / TRIAL).write_text(dump_yaml(spell_trial(contents.trial)), encoding="utf-8")
    if contents.environment is not None:
        (staging / ENVIRONMENT).write_text(dump_yaml(contents.environment), encoding="utf-8")
    for name, value in ((CODE, contents.code), (DATA, contents.data), (SCALER, contents.scaler)):
        if value is not None:
            (staging / name).write_bytes(dump_json(value))
    for name, path in (("best", BEST_WEIGHTS), ("last", LAST_WEIGHTS)):
        if name in contents.weights:
            (staging / path).parent.mkdir(exist_ok=True)
            write_weights(staging / path, contents.weights[name])
    manifest = Manifest(
        entry=contents.entry,
        seed_key=contents.seed_key,
        files=(),
        weights={name: digest_weights(tensors) for name, tensors in contents.weights.items()},
        margins=contents.margins,
        alpha=contents.alpha,
        created=datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        reproof=__version__,
        imported=contents.imported,
    )
    return write_manifest(staging, manifest)


def write_manifest(folder: Path, manifest: Manifest) -> Manifest:
    """Write `bundle.json` over all files that are in a folder."""
    paths = sorted(path for path, _ in walk_folder(folder) if path not in {MANIFEST, SIGNATURE})
    manifest = replace(manifest, files=tuple(describe_file(folder, path) for path in paths))
    (folder / MANIFEST).write_bytes(dump_json(manifest.to_json()))
    return read_manifest(folder)  # as a reader does, so that no bundle is written that would be refused


def spell_trial(trial: TrialInfo) -> dict[str, Any]:
    """Return the content of `trial_info.yaml`: each float also as its exact bits."""
    values = asdict(trial)
    values["value"] = {"value": trial.value, "hex": trial.value.hex()}
    values["metrics"] = spell_metrics(trial.metrics)
    values["params_hex"] = {name: value.hex() for name, value in trial.params.items() if isinstance(value, float)}
    return values


def write_reference(folder: Path, reference: Reference) -> None:
    """Add to a bundle what a re-run of it is judged by.

    The margins must agree with those of the manifest, which were fixed beforehand. Raises BundleError if the bundle is
    refused, or the margins are others. Effects: replaces the bundle by one with the new reference and without a
    signature, which was for the old one.
    """
    with locked(folder):
        manifest = verify_folder(folder)
        for target, margins in manifest.margins.items():
            for name, margin in margins.items():
                found = reference.margins.get(target, {}).get(name)
                if found != margin:
                    raise BundleError(
                        f"the margin of {name} of {target} is {margin} in the bundle, and {found} was given",
                        "margins are fixed when a bundle is written",
                    )
        _replace_file(folder, manifest, REFERENCE, dump_json(reference.to_json()))


def write_entry(folder: Path, entry: str, code: dict[str, Any]) -> None:
    """Note in the bundle of a folder of others which training its user has named.

    The bundle has no signature; `code` is of `reproof.bundle.code.describe_entry`. Effects: replaces the bundle.
    """
    with locked(folder):
        manifest = replace(read_manifest(folder), entry=entry)
        _replace_file(folder, manifest, CODE, dump_json(code))


def update_num_trials(folder: Path, study: str, num_trials: int) -> None:
    """Note of how many trials a bundle is the best, if it is of this study and tells of fewer.

    Raises BundleError if the bundle is refused. Effects: replaces the bundle by one without a signature, which was for
    the old one.
    """
    with locked(folder):
        if not (folder / MANIFEST).is_file():
            return
        manifest = read_manifest(folder)
        entry = next(entry for entry in manifest.files if entry.path == TRIAL)
        values = parse_yaml(read_listed(folder, entry, MAX_YAML_BYTES), TRIAL)
        if values.get("study") == study and (values.get("num_trials") or 0) < num_trials:
            text = dump_yaml({**values, "num_trials": num_trials})
            _replace_file(folder, manifest, TRIAL, text.encode("utf-8"))


def _replace_file(folder: Path, manifest: Manifest, path: str, content: bytes) -> None:
    """Replace a bundle by one with another file, or one more; what stays is linked."""
    staging = make_staging(folder, "change")
    for entry in manifest.files:
        if entry.path != path:
            copy = staging / entry.path
            copy.parent.mkdir(parents=True, exist_ok=True)
            _link(folder / entry.path, copy)
    (staging / path).write_bytes(content)
    write_manifest(staging, manifest)
    replace_folder(staging, folder)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)  # a file system without hard links
